import { create } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import type { Diagnostic } from "./diagnostic.js";
import { applyIgnores } from "./ignore.js";
import { ignoreComments, withoutIgnores } from "./ignore-comments.js";

test("comments are about the end of their own line, or the next line with code", () => {
  const text = `// scaffold:ignore A one

// Doc.
rpc X(); // scaffold:ignore B two words
  //scaffold:ignore C
string s = "// scaffold:ignore D in a string";
/* scaffold:ignore E
 // scaffold:ignore F in a block
*/ int32 x = 1; // scaffold:ignore G after a block
// scaffold:ignored is another word
// scaffold:ignore
`;
  expect(ignoreComments(text).map(({ line, about, rule, reason }) => [line, about, rule, reason])).toEqual([
    [1, 4, "A", "one"],
    [4, 4, "B", "two words"],
    [5, 6, "C", ""],
    [9, 9, "G", "after a block"],
    [11, 12, "", ""],
  ]);
});

const at = (line: number, rule: string, severity: Diagnostic["severity"] = "error"): Diagnostic => ({
  file: "a.proto",
  line,
  column: 1,
  rule,
  message: "",
  severity,
});
const apply = (text: string, ...findings: Diagnostic[]) =>
  applyIgnores(findings, new Map([["a.proto", text]])).map(({ line, rule, message }) =>
    message ? `${line} ${rule}: ${message}` : `${line} ${rule}`,
  );

test("a finding with a reason to be ignored is gone; only there, and only that one", () => {
  const text = "// scaffold:ignore HTTP_RULE on purpose\nrpc X();\nrpc Y();\n";
  expect(apply(text, at(2, "HTTP_RULE"))).toEqual([]);
  expect(apply(text, at(2, "HTTP_RULE"), at(3, "HTTP_RULE"), at(2, "ENTITY_INDEX"))).toEqual([
    "3 HTTP_RULE",
    "2 ENTITY_INDEX",
  ]);
  expect(apply(text.replaceAll("\n", "\r\n"), at(2, "HTTP_RULE"))).toEqual([]);
});

test.each([
  ["// scaffold:ignore HTTP_RULE\nx", [at(2, "HTTP_RULE")], ["2 HTTP_RULE", "1 IGNORE_REASON: Say why"]],
  [
    "// scaffold:ignore HTP_RULE why\nx",
    [],
    ["1 IGNORE_RULE: HTP_RULE is not a rule of scaffold's. Did you mean HTTP_RULE?"],
  ],
  [
    "// scaffold:ignore FIELD_LOWER_SNAKE_CASE why\nx",
    [],
    ["1 IGNORE_RULE: FIELD_LOWER_SNAKE_CASE is not a rule of scaffold's. buf's rules"],
  ],
  [
    "// scaffold:ignore ENTITY_KEY why\nx",
    [at(2, "ENTITY_KEY")],
    ["2 ENTITY_KEY", "1 IGNORE_RULE: ENTITY_KEY cannot be ignored: a row"],
  ],
  ["// scaffold:ignore\nx", [], ["1 IGNORE_RULE: Nothing is said"]],
  ["// scaffold:ignore HTTP_RULE why\nx", [], ["1 IGNORE_UNUSED: There is no HTTP_RULE on line 2"]],
  // The error may be what keeps the note from being found.
  ["// scaffold:ignore METHOD_NEAR_STANDARD why\nx", [at(9, "ENTITY_KEY")], ["9 ENTITY_KEY"]],
])("%j is told what is wrong with it", (text, findings, expected) => {
  const found = apply(text, ...findings);
  expect(found).toHaveLength(expected.length);
  for (const [index, start] of expected.entries()) expect(found[index]).toContain(start);
});

test("the comments are not for readers of generated code", () => {
  const leadingComments = " scaffold:ignore HTTP_RULE why\n Says something.\n";
  const image = create(FileDescriptorSetSchema, {
    file: [{ name: "a.proto", sourceCodeInfo: { location: [{ leadingComments }] } }],
  });
  expect(withoutIgnores(image).file[0]?.sourceCodeInfo?.location[0]?.leadingComments).toBe(" Says something.\n");
});
