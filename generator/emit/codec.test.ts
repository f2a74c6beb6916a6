import { create, fromBinary, getExtension, type MessageInitShape, setExtension, toBinary } from "@bufbuild/protobuf";
import { Writer } from "@protoscaffold/runtime/codec/writer";
import { expect, test } from "vitest";
import { featuredCodec } from "../testdata/codec/expected/generated/editions_codec.js";
import {
  choicesCodec,
  listsCodec,
  mapsCodec,
  oddCodec,
  scalarsCodec,
  treeCodec,
  wellKnownCodec,
} from "../testdata/codec/expected/generated/three_codec.js";
import {
  MapsSchema,
  OddSchema,
  type TreeSchema,
  WellKnownSchema,
} from "../testdata/codec/expected/generated/three_pb.js";
import { legacyCodec } from "../testdata/codec/expected/generated/two_codec.js";
import { extended, Legacy_Color, LegacySchema, numbers } from "../testdata/codec/expected/generated/two_pb.js";
import { compareCodecs } from "../testing/codec-cases.js";
import { codecs } from "../testing/codecs.js";

const seed = Number(process.env.CODEC_SEED ?? 1);

test("codecs and protobuf-es do the same with messages and bytes of every kind", { timeout: 120_000 }, () => {
  const tally = compareCodecs(codecs, { seed, cases: 5500 });
  expect(tally.encoded + tally.decoded + tally.refused).toBeGreaterThan(20_000);
  for (const count of Object.values(tally)) expect(count).toBeGreaterThan(1000);
});

test("a map keeps an entry called __proto__, which protobuf-es loses", () => {
  const maps = create(MapsSchema, { string: JSON.parse('{"__proto__": "kept"}') as Record<string, string> });
  Object.defineProperty(maps.message, "__proto__", { value: { string: "too" }, enumerable: true });
  const bytes = mapsCodec.toBytes(maps);
  const read = mapsCodec.decode(bytes);
  expect(Object.entries(read.string)).toEqual([["__proto__", "kept"]]);
  expect(Object.entries(read.message).map(([key, value]) => [key, value.string])).toEqual([["__proto__", "too"]]);
  expect(Object.getPrototypeOf(read.message)).toBe(Object.prototype);
  expect(Buffer.compare(mapsCodec.toBytes(read), bytes)).toBe(0);
  expect(Object.keys(fromBinary(MapsSchema, bytes).string)).toEqual([]);
});

test("a Struct keeps a key called __proto__", () => {
  const json = JSON.parse('{"__proto__": {"a": 1}, "b": [null, {"__proto__": 2}]}') as Record<string, never>;
  const read = wellKnownCodec.decode(wellKnownCodec.toBytes({ struct: json }));
  expect(JSON.stringify(read.struct)).toBe(JSON.stringify(json));
  expect(JSON.stringify(wellKnownCodec.decode(wellKnownCodec.toBytes(read)))).toBe(JSON.stringify(read));
});

test("a refused message leaves the writer as it was, even one that had to grow", () => {
  const writer = new Writer(4);
  writer.raw(Uint8Array.of(1, 2, 3));
  const wrong = { messages: [{ string: "x".repeat(5000) }, { int32: 0.5 }] };
  expect(() => listsCodec.encode(wrong, writer)).toThrow("0.5 is no 32-bit integer");
  expect(writer.at).toBe(3);
  scalarsCodec.encode({ int32: 1 }, writer);
  expect([...writer.buffer.subarray(0, writer.at)]).toEqual([1, 2, 3, 0x28, 1]);
});

test("a required field that is not set is named", () => {
  expect(() => legacyCodec.toBytes({ id: "1", needed: Legacy_Color.RED })).toThrow("codec.two.Legacy.main is required");
  expect(() => featuredCodec.toBytes({})).toThrow("codec.editions.Featured.required is required");
});

test("a closed enum's unknown numbers are kept beside other unknown fields, where protobuf-es loses them", () => {
  const legacy = legacyCodec.decode(Uint8Array.of(0x30, 77, 0xc0, 0x3e, 5));
  expect(legacy.$unknown?.map(({ no }) => no)).toEqual([6, 1000]);
  expect(legacy.color).toBe(Legacy_Color.BLUE);
  expect(fromBinary(LegacySchema, Uint8Array.of(0x30, 77, 0xc0, 0x3e, 5)).$unknown?.map(({ no }) => no)).toEqual([
    1000,
  ]);
});

test("extensions pass through", () => {
  const legacy = create(LegacySchema, { id: "1", needed: Legacy_Color.RED, main: { name: "main" } });
  setExtension(legacy, extended, "more");
  setExtension(legacy, numbers, [1, 2]);
  const read = legacyCodec.decode(legacyCodec.toBytes(legacy));
  expect(getExtension(read, extended)).toBe("more");
  expect(getExtension(read, numbers)).toEqual([1, 2]);
});

test("messages inside one another are read 100 deep, and no deeper", () => {
  const deep = (levels: number): Uint8Array => {
    let tree: MessageInitShape<typeof TreeSchema> = {};
    for (let level = 1; level < levels; level++) tree = { left: tree };
    return treeCodec.toBytes(tree);
  };
  expect(treeCodec.decode(deep(100)).left).toBeDefined();
  expect(() => treeCodec.decode(deep(101))).toThrow("more than 100 deep");
});

test("a message that encodes another one while it is encoded does not disturb it", () => {
  const tree = {
    name: "outer",
    get leaf() {
      return undefined;
    },
    get children() {
      return [{ name: Buffer.from(treeCodec.toBytes({ name: "y".repeat(3000) })).toString("base64") }];
    },
  };
  const read = treeCodec.decode(treeCodec.toBytes(tree));
  expect(read.name).toBe("outer");
  expect(treeCodec.decode(Buffer.from(read.children[0]!.name, "base64")).name).toHaveLength(3000);
});

test("what is no part of a message, but of every object, is no field of it", () => {
  expect(oddCodec.toBytes({})).toHaveLength(0);
  const init = { hasOwnProperty: ["a"], isPrototypeOf: 1, toLocaleString: "", propertyIsEnumerable: {} };
  const odd = oddCodec.decode(oddCodec.toBytes(create(OddSchema, init)));
  expect(odd.hasOwnProperty).toEqual(["a"]);
  expect(Object.hasOwn(odd, "toLocaleString")).toBe(true);
});

test("no more is read than there is", () => {
  const bytes = scalarsCodec.toBytes({ string: "text" });
  expect(scalarsCodec.decode(bytes, 0, 0).string).toBe("");
  for (const [start, end] of [
    [0, bytes.length + 1],
    [-1, 3],
    [3, 2],
  ] as const) {
    expect(() => scalarsCodec.decode(bytes, start, end)).toThrow("there is nothing from");
  }
});

test("values outside of their types are refused", () => {
  expect(() => scalarsCodec.toBytes({ uint32: -1 })).toThrow("-1 is no unsigned 32-bit integer");
  expect(() => scalarsCodec.toBytes({ int32: Number.NaN })).toThrow("NaN is no 32-bit integer");
  expect(() => scalarsCodec.toBytes({ int64: 2n ** 63n })).toThrow("9223372036854775808 is no 64-bit integer");
  expect(() => scalarsCodec.toBytes({ float: 1e39 })).toThrow("is no float");
  expect(() => choicesCodec.toBytes({ choice: { case: "string", value: 7 as never } })).toThrow("7 is no string");
  expect(() => listsCodec.toBytes({ messages: ["text" as never] })).toThrow("a string is no message");
});

test("large messages are written and read: lengths of one to four bytes", () => {
  for (const length of [127, 128, 16_383, 16_384, 2_097_151, 2_097_152]) {
    const init = {
      strings: [{ value: "é".repeat(length >> 1) }],
      any: { typeUrl: "x", value: new Uint8Array(length) },
    };
    const bytes = wellKnownCodec.toBytes(init);
    expect(Buffer.compare(bytes, toBinary(WellKnownSchema, create(WellKnownSchema, init)))).toBe(0);
    expect(wellKnownCodec.decode(bytes).any?.value).toHaveLength(length);
  }
});
