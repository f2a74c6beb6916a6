import { create, type MessageInitShape, toJsonString } from "@bufbuild/protobuf";
import { createValidator } from "@bufbuild/protovalidate";
import { Code, type ConnectError } from "@connectrpc/connect";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Genre, RulesSchema } from "../../generator/testdata/library/expected/generated/contract_pb.js";
import type { RulesRepository } from "../../generator/testdata/library/expected/generated/contract_repository.js";
import { rulesEntity } from "../../generator/testdata/library/expected/generated/contract_repository.js";
import { testDatabase } from "../../generator/testing/database.js";
import { createTables } from "../../generator/testing/tables.js";
import { BadRequestSchema } from "../options/google/rpc/error_details_pb.js";
import { type Data, openData } from "./data.js";

type Rules = MessageInitShape<typeof RulesSchema>;

const validator = createValidator();
let data: Data<{ rules: RulesRepository }>;
beforeAll(async () => {
  const url = await testDatabase();
  await createTables(url, [rulesEntity.table], true);
  data = openData({ url, service: "rules", entities: { rules: { entity: rulesEntity } } });
});
afterAll(() => data.close());

/** Keeps to every rule. */
const good: Rules = {
  between: 0,
  outside: 3n,
  constant: 2,
  low: 1,
  apart: 2,
  text: "a",
  blob: new Uint8Array([1]),
  agreed: true,
  genre: Genre.POEM,
  words: ["a"],
  counts: { a: 1 },
  needed: 0,
  filled: "a",
  choice: { case: "other", value: 1 },
};

const numbers = [-4, -3, -2, -1, 0, 1, 2, 3, 4];
const texts = ["", "a", "ab", "abc", "abcd", "a'b", "éé", "ééé", "😀😀", "😀😀😀😀"];
const list = (count: number) => Array.from({ length: count }, (_, i) => String(i));
const doubles = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -1, -0.5, -0, 0.1, 0.2, 0.5, 1, 1.5];

/** What may be in each field, on both sides of its rules. */
const values: Readonly<Record<string, readonly unknown[]>> = {
  between: numbers,
  outside: numbers.map(BigInt),
  constant: [0, 1, 2, 3],
  among: [undefined, 0n, 1n, 2n, 2n ** 64n - 1n],
  notAmong: numbers,
  low: [...doubles.map(Math.fround), Math.fround(0.1)],
  high: [undefined, ...doubles],
  apart: doubles,
  finite: doubles,
  text: texts,
  exact: [undefined, ...texts],
  ifAny: texts,
  never: texts,
  parts: [undefined, "", "é\n\\`\u0024{x}", "é\\`\u0024{x}", "e\n\\`\u0024{x}", "éz\n\\`\u0024{x}", "é\n\\`\u0024{x}."],
  blob: ["", "a", "b", "ab", "abc"].map((text) => Buffer.from(text)),
  agreed: [false, true],
  genre: [0, 1, 2, 3],
  words: [0, 1, 2, 3].map(list),
  counts: [0, 1, 2, 3].map((count) => Object.fromEntries(list(count).map((name) => [name, 1]))),
  period: [undefined, { nanos: 500 }, { nanos: 501 }, { seconds: 1n }, { seconds: 2n }, { seconds: -1n }],
  instant: [
    undefined,
    ...[0n, 1n, 2n, 3n].flatMap((seconds) => [0, 999, 1000, 999_999_999].map((nanos) => ({ seconds, nanos }))),
  ],
  wrapped: [undefined, "", "a"],
  needed: [undefined, 0, 1],
  filled: ["", "a"],
  choice: [
    { case: undefined },
    ...["", "a", "ab"].map((value) => ({ case: "one", value })),
    ...[0, 1].map((value) => ({ case: "other", value })),
  ],
};

test("every field has its values here", () => {
  expect(Object.keys(values)).toEqual(RulesSchema.members.map(({ localName }) => localName).slice(1));
});

test.each(Object.keys(values))("the database refuses of %s what its rules refuse, and nothing else", async (field) => {
  for (const value of values[field]!) {
    const message = create(RulesSchema, { ...good, [field]: value } as Rules);
    const { kind } = validator.validate(RulesSchema, message);
    const written = await data.repositories.rules.create(message).then(
      () => "valid",
      (error: ConnectError) => {
        expect(error.code).toBe(Code.InvalidArgument);
        const [details] = error.findDetails(BadRequestSchema);
        const names = RulesSchema.members.find(({ localName }) => localName === field)!;
        const fields = names.kind === "oneof" ? names.fields.map(({ name }) => name) : [names.name];
        expect(fields).toContain(details?.fieldViolations[0]?.field);
        return "invalid";
      },
    );
    expect([value, written], toJsonString(RulesSchema, message)).toEqual([value, kind]);
  }
});
