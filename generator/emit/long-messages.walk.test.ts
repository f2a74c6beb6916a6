import { expect, test } from "vitest";
import { buildContract } from "../contract/build.js";
import { plan } from "../plan.js";
import { compile } from "../testing/image.js";
import { temporaryProject } from "../testing/project.js";
import { typeCheck } from "../testing/type-check.js";

test("messages of 5,000 fields, and of 1,200 of every kind, generate code that compiles", async () => {
  const { root } = temporaryProject({ "long.proto": long() });
  const image = await compile(root);
  const { contract, findings } = buildContract(image);
  expect(findings).toEqual([]);
  const files = await plan(contract, image, { generated: "long", package: "@acme/generated" });
  expect(typeCheck(new Map(files.map(({ path, content }) => [path, content])))).toEqual([]);
});

/** Messages with more conditions than TypeScript follows in one function (TS2563). */
function long(): string {
  const kinds = ["string", "int64", "bool", "double", "bytes", "Kind", "Optional"];
  const fields = (count: number, line: (kind: string) => string) =>
    Array.from({ length: count }, (_, n) => `${line(kinds[n % kinds.length]!)} field_${n} = ${n + 1};`).join("\n");
  return `syntax = "proto2";
package long.v1;
message Optional { ${fields(5000, (kind) => `optional ${kind}`)} }
message Required { ${fields(1200, (kind) => `required ${kind}`)} }
message Closed { ${fields(1200, () => "optional Kind")} }
message Chosen { oneof choice { ${fields(1200, (kind) => kind)} } }
message Maps { ${fields(1200, (kind) => `map<string, ${kind}>`)} }
enum Kind { ONE = 1; }
`;
}
