import { isDeepStrictEqual } from "node:util";
import {
  create,
  createRegistry,
  type DescMessage,
  fromBinary,
  fromJsonString,
  getExtension,
  toBinary,
  toJsonString,
} from "@bufbuild/protobuf";
import { AnySchema, StructSchema, TimestampSchema, ValueSchema } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  ChoicesSchema,
  file_three,
  ListsSchema,
  MapsSchema,
  ScalarsSchema,
  WellKnownSchema,
} from "../../../generator/testdata/codec/expected/generated/three_pb.js";
import {
  extended,
  file_two,
  LegacySchema,
  numbers,
} from "../../../generator/testdata/codec/expected/generated/two_pb.js";
import { codecs } from "../../../generator/testing/codecs.js";
import { Random } from "../../../generator/testing/random.js";
import { createOwn, randomInit } from "../../../generator/testing/random-message.js";
import { JsonText, jsonText } from "./json-text.js";
import { readJson } from "./read.js";
import { missingRequired } from "./required.js";

const registry = createRegistry(file_three, file_two, TimestampSchema, StructSchema, ValueSchema, AnySchema);
const read = <D extends DescMessage>(schema: D, text: string) => readJson(schema, text, { registry });

const seed = Number(process.env.JSON_SEED ?? 1);

it("reads all that protobuf-es writes as protobuf-es reads it", () => {
  const schemas = [...new Set(codecs.map(({ schema }) => schema))].filter(({ name }) => name !== "Odd");
  let same = 0;
  for (let number = 0; number < 4000; number++) {
    const random = new Random(seed + number);
    const schema = random.pick(schemas);
    const written = attempt(() => {
      const message = createOwn(schema, randomInit(random, schema));
      // Floats as they are once they were sent.
      const sent = fromBinary(schema, toBinary(schema, message), { readUnknownFields: false });
      return toJsonString(schema, sent, { registry });
    });
    // Half of a surrogate pair; a path of a field mask that is none.
    if (written === undefined || /\\ud[89a-f]|"mask":"[^"]*\s/i.test(written)) continue;
    const expected = attempt(() => fromJsonString(schema, written, { registry }));
    if (expected === undefined) continue;
    const found = read(schema, written);
    if (!isDeepStrictEqual(found, expected)) {
      expect(found, `seed ${seed + number}: ${written}`).toEqual(expected);
    }
    same++;
  }
  expect(same).toBeGreaterThan(3000);
});

function attempt<T>(act: () => T): T | undefined {
  try {
    return act();
  } catch {
    return undefined;
  }
}

it("takes the same texts for JSON as JSON.parse", () => {
  const piece = fc.constantFrom(
    ...'{}[]:,"\\ \n\t0123-+.eEatruefalsn/ub',
    "true",
    "null",
    "\u0001",
    '"a"',
    "1",
    "\ufeff",
  );
  const broken = fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join(""));
  const sound = fc.jsonValue({ maxDepth: 4 }).map((value) => JSON.stringify(value, undefined, 1));
  const cut = fc.tuple(sound, fc.nat(), fc.nat(3), piece).map(([text, at, size, put]) => {
    const start = at % (text.length + 1);
    return text.slice(0, start) + put + text.slice(start + size);
  });
  fc.assert(
    fc.property(fc.oneof(broken, sound, cut), (text) => {
      const json = new JsonText(text);
      const ours = attempt(() => {
        json.skip();
        json.end();
        return true;
      });
      // What JSON.parse takes besides: keys that are there twice, and halves of surrogate pairs.
      const twice = /is there twice|surrogate/;
      const error = ours ? undefined : faultOf(() => new JsonText(text).skip());
      if (error !== undefined && twice.test(error)) return;
      expect(ours === true, text).toBe(attempt(() => JSON.parse(text) as unknown) !== undefined);
    }),
    { seed, numRuns: 4000 },
  );
});

function faultOf(act: () => unknown): string | undefined {
  try {
    act();
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

describe("whole numbers", () => {
  const limits = [2n ** 53n, 2n ** 63n - 1n, -(2n ** 63n)];
  it.each(limits.flatMap((limit) => [limit - 1n, limit, limit + 1n]).filter((n) => n < 2n ** 63n && n >= -(2n ** 63n)))(
    "%s is exact as an int64, in every place",
    (number) => {
      for (const text of [`${number}`, `"${number}"`, `${number}.0`, `${number}0e-1`, `"${number}000E-3"`]) {
        expect(read(ScalarsSchema, `{"int64": ${text}}`).int64).toBe(number);
        expect(read(ScalarsSchema, `{"sfixed64": ${text}}`).sfixed64).toBe(number);
        expect(read(ListsSchema, `{"int64": [1, ${text}]}`).int64).toEqual([1n, number]);
        expect(read(MapsSchema, `{"uint32": {"1": ${text}}}`).uint32).toEqual({ 1: number });
        expect(Object.keys(read(MapsSchema, `{"int64": {"${number}": 1}}`).int64)).toEqual([String(number)]);
        expect(read(ChoicesSchema, `{"int64": ${text}}`).choice).toEqual({ case: "int64", value: number });
        expect(read(WellKnownSchema, `{"int64": ${text}}`).int64).toBe(number);
      }
    },
  );

  it.each([0n, 2n ** 63n, 2n ** 64n - 2n, 2n ** 64n - 1n])("%s is exact as a uint64", (number) => {
    for (const text of [`${number}`, `"${number}"`]) {
      expect(read(ScalarsSchema, `{"uint64": ${text}, "fixed64": ${text}}`)).toMatchObject({
        uint64: number,
        fixed64: number,
      });
    }
  });

  it.each([
    ["1e3", 1000n],
    ['"1e3"', 1000n],
    ["1E+3", 1000n],
    ["100.0", 100n],
    ["1.5e1", 15n],
    ["9.007199254740993e15", 9007199254740993n],
    ["-0", 0n],
    ["0e400000000000000000000", 0n],
    [`1${"0".repeat(300)}e-300`, 1n],
  ])("%s is one", (text, number) => {
    expect(read(ScalarsSchema, `{"int64": ${text}}`).int64).toBe(number);
    expect(read(ScalarsSchema, `{"int32": ${text}}`.replace("9.007199254740993e15", "15")).int32).toBeTypeOf("number");
  });

  it.each([
    ["0.5", "int64: 0.5 is no whole number (int64)"],
    ["1e-1", "int64: 1e-1 is no whole number (int64)"],
    ["1e400000000000000000000", "is out of range: int64 is from -9223372036854775808 to 9223372036854775807"],
    ["9223372036854775808", "int64: 9223372036854775808 is out of range"],
    ['"0x10"', 'int64: "0x10" is no whole number'],
    ['" 5"', 'int64: " 5" is no whole number'],
    ['"5 "', 'int64: "5 " is no whole number'],
    ['""', 'int64: "" is no whole number'],
    ['"+5"', 'int64: "+5" is no whole number'],
    ['"05"', 'int64: "05" is no whole number'],
    ['"1_000"', 'int64: "1_000" is no whole number'],
    ['"NaN"', 'int64: "NaN" is no whole number'],
    ["true", "int64: true is not a whole number (int64)"],
    ["[1]", "int64: an array is not a whole number (int64)"],
    ["05", 'the JSON is broken at character 12: unexpected "5"'],
    ["+5", 'the JSON is broken at character 11: unexpected "+"'],
  ])("%s is none", (text, message) => {
    expect(() => read(ScalarsSchema, `{"int64": ${text}}`)).toThrow(message);
  });

  it("has the range of its own type", () => {
    expect(() => read(ScalarsSchema, '{"int32": 2147483648}')).toThrow(
      "int32: 2147483648 is out of range: int32 is from",
    );
    expect(() => read(ScalarsSchema, '{"uint32": -1}')).toThrow(
      "uint32: -1 is out of range: uint32 is from 0 to 4294967295",
    );
    expect(() => read(ScalarsSchema, '{"uint64": -1}')).toThrow("uint64: -1 is out of range");
    expect(() => read(MapsSchema, '{"int64": {"0x1": 1}}')).toThrow('int64["0x1"]: the key is no whole number (int64)');
  });

  it("costs no more than its text, however long", () => {
    expect(() => read(ScalarsSchema, `{"int64": ${"1".repeat(1_000_000)}}`)).toThrow("is out of range");
    expect(() => read(ScalarsSchema, `{"int64": 1${"0".repeat(1_000_000)}1}`)).toThrow("is out of range");
    expect(() => read(ScalarsSchema, `{"double": ${"1".repeat(1_000_000)}}`)).toThrow("double: 1111");
  });
});

describe("fractions", () => {
  it.each([
    ["double", "1.7976931348623157e308", Number.MAX_VALUE],
    ["double", '"-1.5e0"', -1.5],
    ["double", "1e-400", 0],
    ["double", '"NaN"', Number.NaN],
    ["double", '"-Infinity"', Number.NEGATIVE_INFINITY],
    ["float", "3.4028235e38", 3.4028234663852886e38],
    ["float", "0.1", Math.fround(0.1)],
  ] as const)("%s takes %s", (field, text, number) => {
    expect(read(ScalarsSchema, `{"${field}": ${text}}`)[field]).toBe(number);
  });

  it.each([
    ["double", "1e400", "double: 1e400 is out of range for a double"],
    ["double", '"-1e400"', 'double: "-1e400" is out of range for a double'],
    ["float", "1e39", "float: 1e39 is out of range for a float"],
    ["float", '"infinity"', 'float: "infinity" is no number (float)'],
    ["double", '"0x1"', 'double: "0x1" is no number (double)'],
    ["double", '" 1"', 'double: " 1" is no number (double)'],
    ["double", "NaN", 'unexpected "N"'],
  ])("%s does not take %s", (field, text, message) => {
    expect(() => read(ScalarsSchema, `{"${field}": ${text}}`)).toThrow(message);
  });

  it("has no infinity in a Value", () => {
    expect(() => read(WellKnownSchema, '{"struct": {"a": [0, 1e400]}}')).toThrow(
      'struct["a"][1]: 1e400 is out of range',
    );
    expect(() => read(ValueSchema, "-1e999")).toThrow("-1e999 is out of range for a double");
    expect(read(ValueSchema, '"NaN"').kind).toEqual({ case: "stringValue", value: "NaN" });
  });
});

describe("texts", () => {
  it("keeps U+FEFF, in keys too, but none before the JSON", () => {
    const text = jsonText(Buffer.from('\ufeff{"string": {"\ufeffk": "\ufeffa", "\\ufeffl": "\\ufeffb"}}'));
    expect(read(MapsSchema, text).string).toEqual({ "\ufeffk": "\ufeffa", "\ufeffl": "\ufeffb" });
    expect(() => read(MapsSchema, jsonText(Buffer.from("\ufeff\ufeff{}")))).toThrow("broken at character 1");
  });

  it("refuses what is no UTF-8", () => {
    for (const bytes of [
      [0x22, 0xff, 0x22],
      [0x22, 0xc0, 0x80, 0x22],
      [0x22, 0xed, 0xa0, 0x80, 0x22],
      [0xf4, 0x90, 0x80, 0x80],
    ]) {
      expect(() => jsonText(Uint8Array.from(bytes))).toThrow("the JSON is not well-formed UTF-8");
    }
    for (const half of ["\\ud800", "\\udc00", "\\udc00\\ud800", "\\ud83dx"]) {
      expect(() => read(ScalarsSchema, `{"string": "${half}"}`)).toThrow(
        `string: "${half}" has half of a surrogate pair`,
      );
    }
    expect(read(ScalarsSchema, '{"string": "\\ud83d\\ude00"}').string).toBe("😀");
    expect(() => read(ScalarsSchema, '{"string": "\\x"}')).toThrow("has an escape that does not exist");
    expect(() => read(ScalarsSchema, '{"string": "\n"}')).toThrow("the JSON is broken at character 13");
    expect(() => read(ScalarsSchema, '{"string": 5}')).toThrow("string: 5 is not a string");
  });
});

describe("bytes", () => {
  it.each(["-_8=", "-_8", "+/8=", "+/8"])("are read from %s", (text) => {
    expect([...read(ScalarsSchema, `{"bytes": "${text}"}`).bytes]).toEqual([0xfb, 0xff]);
  });

  it("are read where bits are left over", () => {
    expect([...read(ScalarsSchema, '{"bytes": "-_"}').bytes]).toEqual([0xfb]);
  });

  it.each(["YQ==YQ==", "YWJj=", "YQ=", "=", "Y", "YWJjZ", "+__+", "-/8=", " YQ==", "YQ==\\n", "YQ===", "Y*==", "Y=Q="])(
    "are not read from %s",
    (text) => {
      expect(() => read(ScalarsSchema, `{"bytes": "${text}"}`)).toThrow(`bytes: "${text}" is no base64`);
    },
  );
});

describe("instants", () => {
  const instant = (text: string) => readJson(TimestampSchema, JSON.stringify(text));

  it.each([
    ["1972-06-30T23:59:59Z", 78796799n, 0],
    ["0001-01-01T00:00:00Z", -62135596800n, 0],
    ["0099-02-28T00:00:00.000000001Z", -59037984000n, 1],
    ["9999-12-31T23:59:59.999999999Z", 253402300799n, 999_999_999],
    ["2024-02-29T01:00:00.5+01:00", 1709164800n, 500_000_000],
    ["2000-02-29T00:00:00-23:59", 951868740n, 0],
    ["0001-01-01T00:00:00-00:01", -62135596740n, 0],
  ])("%s is one", (text, seconds, nanos) => {
    expect(instant(text)).toMatchObject({ seconds, nanos });
  });

  it.each([
    ["2021-02-30T00:00:00Z", "is a date that does not exist"],
    ["2023-02-29T00:00:00Z", "is a date that does not exist"],
    ["1900-02-29T00:00:00Z", "is a date that does not exist"],
    ["2021-04-31T00:00:00Z", "is a date that does not exist"],
    ["2021-00-01T00:00:00Z", "is a date that does not exist"],
    ["2021-13-01T00:00:00Z", "is a date that does not exist"],
    ["2021-01-00T00:00:00Z", "is a date that does not exist"],
    ["2021-01-01T24:00:00Z", "is a time that does not exist"],
    ["2021-01-01T00:60:00Z", "is a time that does not exist"],
    ["2016-12-31T23:59:60Z", "is a time that does not exist here: there are no leap seconds"],
    ["2021-01-01T00:00:00+24:00", "has an offset that does not exist"],
    ["2021-01-01T00:00:00+01:60", "has an offset that does not exist"],
    ["2021-01-01T00:00:00.0000000001Z", "has more than nine decimals"],
    ["0000-12-31T23:59:59Z", "is out of range"],
    ["0001-01-01T00:00:00+00:01", "is out of range"],
    ["9999-12-31T23:59:59-00:01", "is out of range"],
    ["10000-01-01T00:00:00Z", "is no instant of RFC 3339"],
    ["2021-01-01T00:00:00", "is no instant of RFC 3339"],
    ["2021-01-01t00:00:00z", "is no instant of RFC 3339"],
    ["2021-01-01 00:00:00Z", "is no instant of RFC 3339"],
    ["2021-1-1T00:00:00Z", "is no instant of RFC 3339"],
    ["2021-01-01T00:00:00.Z", "is no instant of RFC 3339"],
    ["2021-01-01T00:00:00Z ", "is no instant of RFC 3339"],
    ["", "is no instant of RFC 3339"],
  ])("%s is none", (text, message) => {
    expect(() => instant(text)).toThrow(`${JSON.stringify(text)} ${message}`);
  });
});

describe("durations", () => {
  it.each([
    ["1.5s", 1n, 500_000_000],
    ["-0.5s", 0n, -500_000_000],
    ["-1.000000001s", -1n, -1],
    ["0s", 0n, 0],
    ["-0s", 0n, 0],
    ["315576000000.999999999s", 315576000000n, 999_999_999],
  ])("%s is one", (text, seconds, nanos) => {
    expect(read(WellKnownSchema, `{"duration": "${text}"}`).duration).toMatchObject({ seconds, nanos });
  });

  it.each([
    ["1.0000000001s", "has more than nine decimals"],
    ["315576000001s", "is out of range: a duration is from -315576000000s to 315576000000s"],
    ["1s ", "is no duration in seconds"],
    ["1sx", "is no duration in seconds"],
    ["1.s", "is no duration in seconds"],
    [".5s", "is no duration in seconds"],
    ["+1s", "is no duration in seconds"],
    ["1", "is no duration in seconds"],
    ["1m", "is no duration in seconds"],
    ["1e3s", "is no duration in seconds"],
  ])("%s is none", (text, message) => {
    expect(() => read(WellKnownSchema, `{"duration": "${text}"}`)).toThrow(`duration: "${text}" ${message}`);
  });

  it("is a text", () => {
    expect(() => read(WellKnownSchema, '{"duration": 1}')).toThrow("duration: 1 is not a duration in quotes");
  });
});

it("reads field masks in lowerCamelCase only", () => {
  expect(read(WellKnownSchema, '{"mask": "a,bC.dE,*"}').mask?.paths).toEqual(["a", "b_c.d_e", "*"]);
  for (const path of ["a_b", "", " b"]) {
    expect(() => read(WellKnownSchema, `{"mask": "a,${path}"}`)).toThrow(`mask: "${path}" is no path of a field mask`);
  }
});

describe("keys", () => {
  it("keeps __proto__ and what every object has", () => {
    const keys = ["__proto__", "constructor", "hasOwnProperty", "toString"];
    const text = `{${keys.map((key) => `"${key}": {"string": "${key}"}`).join()}}`;
    const map = read(MapsSchema, `{"message": ${text}}`).message;
    expect(Object.entries(map).map(([key, { string }]) => [key, string])).toEqual(keys.map((key) => [key, key]));
    expect(Object.getPrototypeOf(map)).toBe(Object.prototype);
    expect(JSON.stringify(read(WellKnownSchema, `{"struct": ${text}}`).struct)).toBe(
      text.replaceAll(/: | /g, (m) => m.trim()),
    );
    expect(Object.keys(read(StructSchema, text).fields)).toEqual(keys);
    expect(() => read(ScalarsSchema, '{"__proto__": 1}')).toThrow('there is no field "__proto__"');
  });

  it.each([
    ['{"int32": 1, "int32": 1}', ScalarsSchema, "int32: is given twice"],
    ['{"int32": null, "int32": 1}', ScalarsSchema, "int32: is given twice"],
    ['{"int32": 1, "int\\u00332": 1}', ScalarsSchema, "int32: is given twice"],
    ['{"unsignedText": 1, "unsigned_text": 1}', ScalarsSchema, "unsigned_text: is given twice"],
    ['{"unsigned_text": 1, "unsignedText": 1}', ScalarsSchema, "unsigned_text: is given twice, as unsignedText too"],
    ['{"string": {"a": "1", "a": "2"}}', MapsSchema, 'string["a"]: is there twice'],
    ['{"int64": {"1": 1, "1.0": 2}}', MapsSchema, 'int64["1.0"]: is there twice'],
    ['{"struct": {"a": {"b": 1, "b": 1}}}', WellKnownSchema, 'struct["a"]: the key "b" is there twice'],
    ['[{"__proto__": 1, "__proto__": 1}]', ValueSchema, '[0]: the key "__proto__" is there twice'],
    ['{"int64": 1, "string": "a"}', ChoicesSchema, "string: cannot be given beside int64: they are the oneof choice"],
  ] as const)("are there once: %s", (text, schema: DescMessage, message) => {
    expect(() => read(schema, text)).toThrow(message);
  });

  it("may be unknown only if that is asked for", () => {
    expect(() => read(ScalarsSchema, '{"sise": 1}')).toThrow(`there is no field "sise" in ${ScalarsSchema.typeName}`);
    const passing = { ignoreUnknownFields: true };
    expect(readJson(ScalarsSchema, '{"sise": [{"a": 1}], "int32": 1}', passing).int32).toBe(1);
    expect(() => readJson(ScalarsSchema, '{"sise": {"a": 1, "a": 2}}', passing)).toThrow('the key "a" is there twice');
    expect(() => readJson(ScalarsSchema, '{"sise": 1, "sise": 2}', passing)).toThrow('the key "sise" is there twice');
    expect(() => readJson(ScalarsSchema, `{"sise": ${"[".repeat(2_000_000)}`, passing)).toThrow(
      "more than 100 values deep",
    );
  });
});

describe("a oneof", () => {
  it("may have nulls beside what is set", () => {
    const set = { case: "string", value: "a" };
    expect(read(ChoicesSchema, '{"int64": null, "string": "a"}').choice).toEqual(set);
    expect(read(ChoicesSchema, '{"string": "a", "int64": null}').choice).toEqual(set);
  });
});

describe("Any", () => {
  const type = "type.googleapis.com/";

  it("is read wherever its type stands", () => {
    const name = type + ScalarsSchema.typeName;
    for (const text of [`{"@type": "${name}", "int32": 5}`, `{"int32": 5, "@type": "${name}"}`]) {
      const any = read(AnySchema, text);
      expect(any.typeUrl).toBe(name);
      expect(fromBinary(ScalarsSchema, any.value).int32).toBe(5);
    }
    const instant = read(AnySchema, `{"value": "1970-01-01T00:00:01Z", "@type": "${type}google.protobuf.Timestamp"}`);
    expect(fromBinary(TimestampSchema, instant.value).seconds).toBe(1n);
    expect(read(AnySchema, "{}")).toEqual(create(AnySchema));
  });

  it.each([
    ['{"int32": 5}', 'has no "@type"'],
    ['{"@type": 5}', "5 is not a string"],
    ['{"@type": "a/no.Such"}', '"a/no.Such" is no type that is known here'],
    ['{"@type": "google.protobuf.Timestamp", "value": "1970-01-01T00:00:01Z"}', "is no type that is known here"],
    ['{"@type": "a/google.protobuf.Timestamp"}', 'has no "value"'],
    ['{"@type": "a/google.protobuf.Timestamp", "value": "1970-01-01T00:00:01Z", "b": 1}', 'has no field "b"'],
    [
      `{"@type": "a/${ScalarsSchema.typeName}", "@type": "a/${ScalarsSchema.typeName}"}`,
      'the key "@type" is there twice',
    ],
    [`{"@type": "a/${ScalarsSchema.typeName}", "int32": "x"}`, 'int32: "x" is no whole number'],
  ])("is not read from %s", (text, message) => {
    expect(() => read(AnySchema, text)).toThrow(message);
  });

  it("does not have its text read again and again", () => {
    const deep = (inner: string, left: number): string =>
      left === 0 ? inner : deep(`{"value": ${inner}, "@type": "a/google.protobuf.Any"}`, left - 1);
    const text = deep(`{"value": "${"x".repeat(1_000_000)}", "@type": "a/google.protobuf.StringValue"}`, 40);
    expect(() => read(AnySchema, text)).toThrow('have their "@type" at the end: write it first');
  });
});

it("reads extensions by their names", () => {
  const text = `{"[${extended.typeName}]": "a", "[${numbers.typeName}]": [1, "2"]}`;
  const legacy = read(LegacySchema, text);
  expect(getExtension(legacy, extended)).toBe("a");
  expect(getExtension(legacy, numbers)).toEqual([1, 2]);
  expect(() => read(LegacySchema, `{"[${numbers.typeName}]": [1, "x"]}`)).toThrow(
    `[${numbers.typeName}][1]: "x" is no whole number (int32)`,
  );
  expect(() => read(LegacySchema, '{"[no.such]": 1}')).toThrow('there is no field "[no.such]"');
});

it("finds what proto2 requires, however deep it is", () => {
  const text = '{"id": "a", "needed": "RED", "main": {"name": "b"}, "item": [{}, {}], "single": {"number": 1}}';
  expect(missingRequired(LegacySchema, read(LegacySchema, text))).toBeUndefined();
  expect(missingRequired(LegacySchema, read(LegacySchema, text.replace('"id": "a", ', "")))).toBe("id");
  expect(missingRequired(LegacySchema, read(LegacySchema, text.replace('"name": "b"', "")))).toBe("main.name");
  expect(missingRequired(LegacySchema, read(LegacySchema, text.replace('"number": 1', "")))).toBe("single.number");
  const itself = text.replace("}}", `}, "itself": ${text.replace('"id": "a", ', "")}}`);
  expect(missingRequired(LegacySchema, read(LegacySchema, itself))).toBe("itself.id");
  expect(missingRequired(ScalarsSchema, create(ScalarsSchema))).toBeUndefined();
});

describe("depth and number", () => {
  it.each([
    ["arrays", ValueSchema, "["],
    ["objects", ValueSchema, '{"a":'],
    ["Structs", StructSchema, '{"a":'],
  ] as const)("has a bound for %s in one another", (_, schema: DescMessage, piece) => {
    expect(() => read(schema, piece.repeat(500_000))).toThrow("messages are more than 100 deep in one another");
  });

  it("is as deep as binary is", () => {
    const nested = (depth: number) => `${"[".repeat(depth)}${"]".repeat(depth)}`;
    // A list is a Value and a ListValue.
    const value = read(ValueSchema, nested(50));
    expect(fromBinary(ValueSchema, toBinary(ValueSchema, value))).toEqual(value);
    expect(() => read(ValueSchema, nested(51))).toThrow("more than 100 deep");
  });

  it.each([
    ["keys of a Struct", StructSchema, `{${Array.from({ length: 300_000 }, (_, i) => `"${i}":0`).join()}}`],
    ["entries of a map", MapsSchema, `{"string":{${Array.from({ length: 300_000 }, (_, i) => `"${i}":""`).join()}}}`],
    ["messages", ListsSchema, `{"messages":[${"{},".repeat(1_000_000)}{}]}`],
    ["wrapped values", ListsSchema, `{"bytes":[${'"",'.repeat(1_000_000)}""]}`],
  ] as const)("has a bound for %s", (_, schema: DescMessage, text) => {
    expect(() => read(schema, text)).toThrow("there are more than 100000 messages, half as many entries of maps");
  });

  it("has none for numbers and texts", () => {
    expect(read(ListsSchema, `{"int32":[${"1,".repeat(400_000)}1]}`).int32).toHaveLength(400_001);
  });
});
