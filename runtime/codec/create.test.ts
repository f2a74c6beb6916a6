import { create } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import {
  ChoicesSchema,
  MapsSchema,
  OddSchema,
  ScalarsSchema,
  TreeSchema,
  WellKnownSchema,
} from "../../generator/testdata/codec/expected/generated/three_pb.js";
import { codecs } from "../../generator/testing/codecs.js";
import { Random } from "../../generator/testing/random.js";
import { randomInit } from "../../generator/testing/random-message.js";
import { createMessage, explicit } from "./create.js";

test("makes the messages that protobuf-es makes", () => {
  const random = new Random(1);
  for (const { schema } of codecs.filter(({ schema }) => schema.name !== "Odd")) {
    for (let i = 0; i < 50; i++) {
      const init = randomInit(random, schema) as never;
      expect(createMessage(schema, init)).toStrictEqual(create(schema, init));
    }
  }
});

test("keeps entries called __proto__", () => {
  const key = (value: unknown) => Object.defineProperty({}, "__proto__", { value, enumerable: true }) as never;
  const blobs = { sfixed32: { 1: [1, 2] } } as never;
  expect(createMessage(MapsSchema, blobs).sfixed32).toEqual({ 1: new Uint8Array([1, 2]) });
  const maps = createMessage(MapsSchema, { message: key({ int32: 1 }) });
  expect(Object.entries(maps.message)).toEqual([["__proto__", create(ScalarsSchema, { int32: 1 })]]);
  const tree = createMessage(TreeSchema, { left: { named: key({ name: "a" }) } });
  expect(Object.keys(tree.left!.named)).toEqual(["__proto__"]);
  const choice = createMessage(ChoicesSchema, { choice: { case: "tree", value: { named: key({}) } } });
  expect(Object.keys((choice.choice.value as { named: object }).named)).toEqual(["__proto__"]);
  const struct = { fields: key({ kind: { case: "boolValue", value: true } }) };
  const known = createMessage(WellKnownSchema, { value: { kind: { case: "structValue", value: struct } } });
  expect(JSON.stringify(known)).toContain('"__proto__":{"$typeName"');
  expect(Object.keys(explicit(MapsSchema, { message: key({}) }).message!)).toEqual(["__proto__"]);
});

test("takes nothing that every object has, and refuses what is no init", () => {
  expect(Object.keys(createMessage(OddSchema, {}))).not.toContain("toLocaleString");
  expect(createMessage(OddSchema, { hasOwnProperty: ["a"] } as never).hasOwnProperty).toEqual(["a"]);
  for (const [value, found] of [
    [undefined, "undefined"],
    [null, "null"],
    [1, "number"],
    [create(MapsSchema), "a codec.three.Maps"],
  ] as const) {
    expect(() => createMessage(ScalarsSchema, value as never)).toThrow(`this is no codec.three.Scalars, but ${found}`);
  }
});
