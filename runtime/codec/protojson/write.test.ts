import {
  create,
  createRegistry,
  type DescMessage,
  fromBinary,
  fromJson,
  type JsonValue,
  type Message,
  type MessageShape,
  setExtension,
  toBinary,
  toJson,
  toJsonString,
} from "@bufbuild/protobuf";
import {
  AnySchema,
  anyPack,
  BytesValueSchema,
  ListValueSchema,
  StructSchema,
  TimestampSchema,
  ValueSchema,
} from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "vitest";
import { file_editions } from "../../../generator/testdata/codec/expected/generated/editions_pb.js";
import {
  file_three,
  ListsSchema,
  MapsSchema,
  ScalarsSchema,
  WellKnownSchema,
} from "../../../generator/testdata/codec/expected/generated/three_pb.js";
import { extended, file_two, LegacySchema } from "../../../generator/testdata/codec/expected/generated/two_pb.js";
import { Random } from "../../../generator/testing/random.js";
import { randomInit } from "../../../generator/testing/random-message.js";
import { codecOf } from "../known.js";
import { LoneSurrogateError } from "../lone-surrogate.js";
import { readJson } from "./read.js";
import { JsonPieces, type JsonWriteOptions } from "./write.js";

const registry = createRegistry(file_three, file_two, file_editions, TimestampSchema, StructSchema, BytesValueSchema);

function write<D extends DescMessage>(desc: D, message: MessageShape<D>, options?: JsonWriteOptions): string {
  const pieces = new JsonPieces(desc, message, options);
  let text = "";
  while (!pieces.isDone) text += pieces.next();
  return text;
}

/** Both say the same, but for the sign of -0; or it is refused, by protobuf-es or by what writes it in binary. */
function compare(desc: DescMessage, message: Message): void {
  const binary = attempt(() => codecOf(desc).toBytes(message));
  const isLone = binary instanceof LoneSurrogateError;
  const isRefused = binary instanceof Error && !isLone;
  for (const options of [{}, { alwaysEmitImplicit: true, registry }]) {
    const theirs = attempt(() => toJsonString(desc, message as never, options));
    const ours = attempt(() => write(desc, message as never, options));
    if (theirs instanceof Error || isRefused || isLone) expect(ours, String(theirs)).toBeInstanceOf(Error);
    else expect(unsigned(ours)).toBe(unsigned(theirs));
  }
}

function unsigned(text: string | Error): string {
  return String(text).replaceAll(/(?<=[:,[])-0(?=[,}\]])/g, "0");
}

function attempt<T>(run: () => T): T | Error {
  try {
    return run();
  } catch (error) {
    return error as Error;
  }
}

describe("writes what protobuf-es writes", () => {
  const types = [file_three, file_two, file_editions].flatMap(({ messages }) => messages);

  test.each(types.map((type) => [type.typeName, type] as const))("for random messages: %s", (_, type) => {
    const random = new Random(1);
    for (let i = 0; i < 300; i++) compare(type, create(type, randomInit(random, type) as never));
  });

  test("for numbers that JSON does not have, and signs of zero", () => {
    const numbers = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0, 0, 1e21, 1e-7, 5e-324];
    for (const double of numbers) compare(ScalarsSchema, create(ScalarsSchema, { double, float: Math.fround(double) }));
    compare(ListsSchema, create(ListsSchema, { double: numbers }));
  });

  test("for strings that are cut, also where a cut would part a pair", () => {
    for (const length of [32_767, 32_768, 32_769, 65_535, 65_536, 200_000]) {
      for (const unit of ["a", "ü", "😀", '"\\\n\u2028', "\ud800"]) {
        const string = `a${unit.repeat(Math.ceil(length / unit.length))}`;
        compare(ScalarsSchema, create(ScalarsSchema, { string: string.slice(0, length) }));
        compare(ScalarsSchema, create(ScalarsSchema, { string: string.slice(1, length) }));
      }
    }
  });

  test("for bytes of every length around a cut", () => {
    const lengths = [
      0,
      1,
      2,
      3,
      4,
      ...[49_152, 98_304, 147_456].flatMap((cut) => [cut - 2, cut - 1, cut, cut + 1, cut + 2]),
    ];
    for (const length of lengths) {
      // In the middle of other memory, as bytes of a message are.
      const bytes = new Uint8Array(length + 7).map((_, i) => (i * 31) % 251).subarray(5, length + 5);
      compare(ScalarsSchema, create(ScalarsSchema, { bytes }));
    }
  });

  test("for messages in google.protobuf.Any, of every kind", () => {
    const inner = create(ScalarsSchema, { int64: 5n });
    const values = [
      anyPack(ScalarsSchema, inner),
      anyPack(ScalarsSchema, create(ScalarsSchema)),
      anyPack(TimestampSchema, create(TimestampSchema, { seconds: 1n })),
      anyPack(BytesValueSchema, create(BytesValueSchema, { value: new Uint8Array(60_000) })),
      anyPack(AnySchema, anyPack(ScalarsSchema, inner)),
      create(AnySchema),
    ];
    const known = createRegistry(registry, AnySchema);
    for (const value of values) {
      expect(write(AnySchema, value, { registry: known })).toBe(toJsonString(AnySchema, value, { registry: known }));
    }
    const unknown = create(AnySchema, { typeUrl: "type.googleapis.com/none.Such" });
    expect(() => write(AnySchema, unknown, { registry })).toThrow(
      '"type.googleapis.com/none.Such" is not in the type registry',
    );
  });

  test("for google.protobuf.Value and those around it", () => {
    const json = { "2": null, "1": [true, "a", 1.5, { deep: [[], {}] }], "": "😀" };
    const struct = { fields: Object.fromEntries(Object.entries(json).map(([key, value]) => [key, valueFrom(value)])) };
    compare(StructSchema, create(StructSchema, struct));
    compare(ListValueSchema, create(ListValueSchema, { values: [valueFrom(json), valueFrom(null)] }));
    compare(WellKnownSchema, create(WellKnownSchema, { struct: json } as never));
    for (const broken of [
      create(ValueSchema),
      create(ValueSchema, { kind: { case: "numberValue", value: Number.NaN } }),
    ]) {
      expect(() => write(ValueSchema, broken)).toThrow();
      expect(() => toJson(ValueSchema, broken)).toThrow();
    }
  });

  test("for extensions, and for fields that nobody knows", () => {
    const legacy = create(LegacySchema, { id: "1", needed: 1, main: { name: "a" } } as never);
    setExtension(legacy, extended, "text");
    compare(LegacySchema, fromBinary(LegacySchema, toBinary(LegacySchema, legacy)));
    const unknown = create(ScalarsSchema, { int32: 1 });
    unknown.$unknown = [{ no: 4711, wireType: 0, data: new Uint8Array([1]) }];
    compare(ScalarsSchema, unknown);
  });
});

test("keeps a key that objects have a meaning for", () => {
  const string = Object.defineProperty({}, "__proto__", { value: "kept", enumerable: true });
  expect(write(MapsSchema, create(MapsSchema, { string }))).toBe('{"string":{"__proto__":"kept"}}');
});

test("writes the sign of -0, as other implementations do", () => {
  const numbers = create(ScalarsSchema, { double: -0, float: -0 });
  expect(write(ScalarsSchema, numbers)).toBe('{"double":-0,"float":-0}');
  expect(readJson(ScalarsSchema, write(ScalarsSchema, numbers))).toEqual(numbers);
  expect(write(ScalarsSchema, numbers, { stored: true })).toBe('{"double":"-0","float":"-0"}');
  expect(write(ListsSchema, create(ListsSchema, { double: [-0, 0], int32: [-0] }))).toBe(
    '{"double":[-0,0],"int32":[0]}',
  );
  expect(write(WellKnownSchema, create(WellKnownSchema, { struct: { a: -0 }, double: -0 }))).toBe(
    '{"struct":{"a":-0},"double":-0}',
  );
});

test.each([
  ["int32", 2 ** 31],
  ["int32", 0.5],
  ["int32", Number.NaN],
  ["int32", "1"],
  ["sint32", -(2 ** 31) - 1],
  ["uint32", -1],
  ["fixed32", 2 ** 32],
  ["int64", 2n ** 63n],
  ["int64", 0.5],
  ["int64", "one"],
  ["uint64", -1n],
  ["uint64", 2 ** 64],
  ["float", 1e39],
  ["float", "1"],
  ["double", 1n],
  ["bool", 1],
  ["color", 0.5],
  ["color", 2 ** 31],
  ["color", "COLOR_RED"],
  ["string", 1],
  ["bytes", "AA=="],
])("refuses for %s what it cannot hold: %s", (field, value) => {
  const message = create(ScalarsSchema, { [field]: value });
  expect(() => write(ScalarsSchema, message)).toThrow(`codec.three.Scalars.${field} to JSON: `);
  expect(() => write(ListsSchema, create(ListsSchema, { [field]: [value] }))).toThrow(`Lists.${field} to JSON: `);
});

test("refuses keys of maps that their type cannot hold, and what is no JSON in a Struct", () => {
  for (const init of [{ int32: { a: 1 } }, { uint32: { "-1": 1n } }, { bool: { yes: 1n } }]) {
    expect(() => write(MapsSchema, create(MapsSchema, init))).toThrow("does not fit");
  }
  for (const value of [undefined, Number.NaN, 1n, () => 1]) {
    expect(() => write(WellKnownSchema, create(WellKnownSchema, { struct: { value } as never }))).toThrow("Value");
  }
});

test("keeps __proto__ in maps of messages, Structs and what an Any holds", () => {
  const json =
    '{"message":{"__proto__":{"int32":1}},"struct":{"5":{"__proto__":{"__proto__":1}}},"wrapper":{"__proto__":"a"}}';
  const maps = readJson(MapsSchema, json);
  expect(write(MapsSchema, maps)).toBe(json);
  const any = create(AnySchema, {
    typeUrl: "type.googleapis.com/codec.three.Maps",
    value: codecOf(MapsSchema).toBytes(maps),
  });
  expect(write(AnySchema, any, { registry })).toBe(`${json.slice(0, -1)},"@type":"${any.typeUrl}"}`);
});

test("writes one field of a message as well, and null where there is none", () => {
  const one = (name: string, init: object) => {
    const field = ScalarsSchema.fields.find((each) => each.name === name);
    return new JsonPieces(ScalarsSchema, create(ScalarsSchema, init), {}, field).next();
  };
  expect(one("string", { string: "a" })).toBe('"a"');
  expect(one("string", {})).toBe("null");
});

test("writes pieces, none of which is long", () => {
  const big = create(ListsSchema, {
    bytes: [new Uint8Array(1_000_000), ...Array.from({ length: 5_000 }, () => new Uint8Array(20))],
    string: ["x".repeat(1_000_000), ...Array.from({ length: 50_000 }, (_, i) => `${i}`)],
  });
  const pieces = new JsonPieces(ListsSchema, big);
  const lengths: number[] = [];
  while (!pieces.isDone) lengths.push(pieces.next().length);
  expect(Math.max(...lengths)).toBeLessThan(140_000);
  expect(lengths.length).toBeGreaterThan(30);
  expect(write(ListsSchema, big)).toBe(toJsonString(ListsSchema, big));
});

function valueFrom(json: unknown) {
  return fromJson(ValueSchema, json as JsonValue);
}
