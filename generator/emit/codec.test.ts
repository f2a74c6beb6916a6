import { create, fromBinary, getExtension, type MessageInitShape, setExtension, toBinary } from "@bufbuild/protobuf";
import type { Codec } from "@protoscaffold/runtime/codec/codec";
import { reflectedCodec } from "@protoscaffold/runtime/codec/reflected";
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
  const tally = compareCodecs(codecs, { seed, cases: 6500 });
  expect(tally.encoded + tally.decoded + tally.refused).toBeGreaterThan(20_000);
  for (const count of Object.values(tally)) expect(count).toBeGreaterThan(1000);
});

/** Bytes in hexadecimal, with spaces where they help. */
const bytes = (hex: string) => Buffer.from(hex.replaceAll(" ", ""), "hex");

test("a known number with another wire type is an unknown field, and nothing of it gets into another one", () => {
  // Field 3 is an int64; the two bytes in it would be an int32 in field 5.
  const read = scalarsCodec.decode(bytes("1a 02 28 05"));
  expect(read).toMatchObject({ int64: 0n, int32: 0 });
  expect(read.$unknown).toEqual([{ no: 3, wireType: 2, data: new Uint8Array([2, 0x28, 5]) }]);
  expect(scalarsCodec.toBytes(read)).toEqual(bytes("1a 02 28 05"));
  // In a oneof, and in a group.
  expect(choicesCodec.decode(bytes("08 07")).choice).toEqual({ case: undefined });
  expect(legacyCodec.decode(bytes("6b 08 05 6c")).item).toMatchObject([{ $unknown: [{ no: 1 }] }]);
  // A message field as a group, and a group as a message field.
  const legacy = legacyCodec.decode(bytes("43 0a 00 44 6a 02 0a 00"));
  expect([legacy.part, legacy.item, legacy.$unknown?.map(({ no }) => no)]).toEqual([undefined, [], [8, 13]]);
});

test("lists are read packed and not, whatever the contract says", () => {
  expect(listsCodec.decode(bytes("28 01 2a 02 02 03 28 04")).int32).toEqual([1, 2, 3, 4]);
  expect(listsCodec.decode(bytes("92 01 02 01 02 90 01 03")).loose).toEqual([1, 2, 3]);
  expect(listsCodec.decode(bytes("48 01 2d 01 00 00 00"))).toMatchObject({ string: [], int32: [] });
  expect(() => listsCodec.decode(bytes("2a 02 01 80 01"))).toThrow("past the end");
  expect(() => listsCodec.decode(bytes("2a 0b 80 80 80 80 80 80 80 80 80 80 01"))).toThrow("too long");
});

test("an entry of a map has a key and a value: other fields are passed over, a message that comes twice is merged", () => {
  // An unknown field 3 between them, and a key of another type.
  expect(mapsCodec.decode(bytes("0a 0a 0a 01 61 1a 02 12 00 12 01 62")).string).toEqual({ a: "b" });
  expect(mapsCodec.decode(bytes("0a 05 08 05 12 01 62")).string).toEqual({ "": "b" });
  const twice = mapsCodec.decode(bytes("72 0b 0a 01 61 12 02 28 05 12 02 40 01")).message;
  expect(twice.a).toMatchObject({ int32: 5, bool: true });
});

test("no value goes past the end of the message that it is in", () => {
  // The name of the left tree claims more than its two bytes; what it would take is the next field.
  expect(() => treeCodec.decode(bytes("12 02 0a 03 0a 01 61"))).toThrow("past the end");
  expect(() => treeCodec.decode(bytes("12 05 0a 01 61"))).toThrow("end in the middle");
  expect(() => mapsCodec.decode(bytes("0a 03 0a 05 61 62 63 64 65"))).toThrow("past the end");
  expect(() => scalarsCodec.decode(bytes("f8 3e ff ff ff ff ff ff ff ff ff ff 01"))).toThrow("too long");
});

test.each([
  ["a string", scalarsCodec, "4a"],
  ["bytes", scalarsCodec, "52"],
  ["a message", treeCodec, "12"],
  ["an entry of a map", mapsCodec, "0a"],
  ["an entry's value", mapsCodec, "0a 06 12"],
  ["a packed list", listsCodec, "2a"],
  ["JSON", wellKnownCodec, "32"],
  ["an unknown field", scalarsCodec, "fa 3e"],
  ["a field of an unknown group", scalarsCodec, "fb 3e 0a"],
])("a length that 32 bits do not hold is refused: %s", (_, codec, tag) => {
  for (const each of [codec, reflectedCodec(codec.schema)] as Codec[]) {
    // 2^32, which would be nothing at all, 2^32 + 1, and one that 64 bits do not hold.
    for (const length of ["80 80 80 80 10", "81 80 80 80 10 00", "80 80 80 80 80 80 80 80 80 02"]) {
      expect(() => each.decode(bytes(`${tag} ${length}`))).toThrow(/end in the middle|past the end/);
    }
    expect(() => each.decode(bytes(`${tag} 80 80 80 80 80 80 80 80 80 80 01`))).toThrow("too long");
  }
});

test("a length in more bytes than it needs is read", () => {
  for (const codec of [scalarsCodec, reflectedCodec(scalarsCodec.schema)] as Codec<typeof scalarsCodec.schema>[]) {
    expect(codec.decode(bytes("4a 81 80 80 80 80 00 61")).string).toBe("a");
  }
});

test.each([
  ["a tag of more than 32 bits", "88 80 80 80 10 00"],
  ["a tag of six bytes", "88 80 80 80 80 00 00"],
  ["the field number 0", "00 00"],
  ["the field number 0 in two bytes", "82 00 00"],
  ["a wire type that does not exist", "0e 00"],
  ["a number of eleven bytes", "28 80 80 80 80 80 80 80 80 80 80 01"],
  ["one of 64 bits", "18 80 80 80 80 80 80 80 80 80 80 01"],
  ["one that is not known", "f8 3e 80 80 80 80 80 80 80 80 80 80 01"],
  ["a group that ends as another one", "fb 3e 84 3f"],
  ["the end of no group", "fc 3e"],
])("%s is refused", (_, hex) => {
  for (const codec of [scalarsCodec, reflectedCodec(scalarsCodec.schema)] as Codec[]) {
    expect(() => codec.decode(bytes(hex))).toThrow();
  }
});

test("U+FEFF is a character like any other, also at the beginning", () => {
  const marked = "\ufeffa";
  expect(scalarsCodec.decode(bytes("4a 04 ef bb bf 61")).string).toBe(marked);
  const read = mapsCodec.decode(mapsCodec.toBytes({ string: { [marked]: `${marked} and more than six bytes` } }));
  expect(read.string).toEqual({ [marked]: `${marked} and more than six bytes` });
  expect(fromBinary(MapsSchema, mapsCodec.toBytes(read)).string).toEqual(read.string);
});

test("a lone surrogate is refused, and its field named", () => {
  const half = "a long text that is cut in the middle of a smile \ud83d";
  expect(() => scalarsCodec.toBytes({ string: "\ud83d" })).toThrow("codec.three.Scalars.string has a lone surrogate");
  expect(() => listsCodec.toBytes({ messages: [{}, { string: half }] })).toThrow("Lists.messages[1].string has");
  expect(() => mapsCodec.toBytes({ string: { [half]: "" } })).toThrow('smile \\ud83d"] has');
  const inOneof = { choice: { case: "left", value: { name: half } } as never };
  expect(() => choicesCodec.toBytes({ ...inOneof, other: inOneof.choice } as never)).toThrow("left.name has");
  expect(() => wellKnownCodec.toBytes({ struct: { a: [1, { b: half }] } })).toThrow('struct["a"][1]["b"] has');
  expect(() => wellKnownCodec.toBytes({ strings: [{ value: half }] })).toThrow("strings[0].value has");
  expect(() => wellKnownCodec.toBytes({ status: { message: half } })).toThrow("WellKnown.status.message has");
  expect(scalarsCodec.decode(scalarsCodec.toBytes({ string: "\ud83d\ude00" })).string).toBe("😀");
});

test("two million unknown fields are kept as one, and written as they came", () => {
  const many = Buffer.alloc(1 << 22);
  // Of two numbers by turns, and in a message, too.
  for (let at = 0; at < many.length; at += 4) many.set([0x60, 1, 0x68, 2], at);
  const inner = Buffer.concat([bytes("12 80 80 80 01"), many.subarray(0, 1 << 21)]);
  for (const all of [many, inner]) {
    const read = treeCodec.decode(all);
    expect((read.left ?? read).$unknown).toHaveLength(1025);
    expect(Buffer.compare(treeCodec.toBytes(read), all)).toBe(0);
  }
  const closed = Buffer.alloc(1 << 20).fill(bytes("30 4d"));
  expect(legacyCodec.decode(closed).$unknown).toHaveLength(1025);
});

test("there is a most of what a message can have in it", () => {
  const many = Buffer.alloc(200_000).fill(bytes("1a 00"));
  expect(treeCodec.decode(many.subarray(2)).children).toHaveLength(99_999);
  for (const hex of ["1a 00", "22 00"]) {
    expect(() => treeCodec.decode(many.fill(bytes(hex)))).toThrow("more than 100000 messages");
  }
  expect(() => listsCodec.decode(many.fill(bytes("52 00")))).toThrow("more than 100000 messages");
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
  expect(() => listsCodec.toBytes({ messages: ["text" as never] })).toThrow("string value is no message");
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
