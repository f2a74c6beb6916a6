import {
  create,
  type DescEnum,
  type DescField,
  type DescMessage,
  isMessage,
  type Message,
  ScalarType,
} from "@bufbuild/protobuf";
import { isWrapperDesc } from "@bufbuild/protobuf/wkt";
import type { Random } from "./random.js";

type Init = Record<string, unknown>;

/**
 * What `create` may be given for a message: whole messages and parts of them inside one another, members that are
 * undefined, values at the edges of their types, fields that nobody knows. Now and then it is no such message: a
 * value is out of range, a required field not set.
 */
export function randomInit(random: Random, schema: DescMessage, depth = 0): Init {
  const init: Init = {};
  const density = random.pick([0.1, 0.4, 0.9]) / (depth + 1);
  for (const member of schema.members) {
    const isRequired = member.kind === "field" && member.presence === 3;
    if (!random.chance(isRequired ? 0.99 : density)) {
      if (random.chance(0.1)) init[member.localName] = undefined;
    } else if (member.kind === "oneof") {
      const field = random.pick(member.fields);
      init[member.localName] = { case: field.localName, value: randomValue(random, field, depth) };
    } else init[member.localName] = randomValue(random, member, depth);
  }
  if (random.chance(0.5)) return init;
  const message = createOwn(schema, init);
  if (random.chance(0.2)) message.$unknown = randomUnknown(random, schema);
  return message as unknown as Init;
}

/** As `create`, which takes what every object inherits, `hasOwnProperty` for one, for a field of that name. */
export function createOwn(schema: DescMessage, init: object): Message {
  return create(schema, isMessage(init, schema) ? init : Object.assign(Object.create(null), init));
}

function randomValue(random: Random, field: DescField, depth: number): unknown {
  switch (field.fieldKind) {
    case "list":
      return Array.from({ length: random.below(random.chance(0.05) ? 60 : 4) }, () => randomItem(random, field, depth));
    case "map": {
      const map: Init = {};
      for (let left = random.below(4); left > 0; left--) {
        map[String(randomScalar(random, field.mapKey))] = randomItem(random, field, depth);
      }
      return map;
    }
    default:
      return randomItem(random, field, depth);
  }
}

function randomItem(random: Random, field: DescField, depth: number): unknown {
  const { message, enum: numbers } = field;
  if (message !== undefined) {
    if (message.typeName === "google.protobuf.Struct" && field.parent.typeName !== "google.protobuf.Value") {
      return randomObject(random, 0);
    }
    if (isWrapperDesc(message) && field.fieldKind === "message" && field.oneof === undefined) {
      return randomScalar(random, message.fields[0]!.scalar as ScalarType);
    }
    // What is required has no end otherwise.
    if (depth > 6) return create(message, leastInit(message));
    return randomInit(random, message, depth + 1);
  }
  if (numbers !== undefined) return randomNumber(random, numbers);
  const value = randomScalar(random, field.scalar as ScalarType);
  if ("longAsString" in field && field.longAsString && random.chance(0.9)) return String(value);
  return value;
}

function leastInit(schema: DescMessage): Init {
  const required = schema.fields.filter(({ presence }) => presence === 3);
  return Object.fromEntries(
    required.map((field) => [field.localName, field.message ? leastInit(field.message) : (zero(field) as unknown)]),
  );
}

function zero(field: DescField): unknown {
  return field.scalar === ScalarType.STRING ? "" : 0;
}

function randomNumber(random: Random, { values }: DescEnum): number {
  return random.chance(0.1) ? random.pick([77, -1, 2 ** 31 - 1]) : random.pick(values).number;
}

const signed32 = [0, -0, 1, -1, 127, 128, 300, 65_536, 2 ** 31 - 1, -(2 ** 31)];
const unsigned32 = [0, -0, 1, 127, 128, 16_384, 2 ** 28, 2 ** 31, 2 ** 32 - 1];
const signed64 = [0n, 1n, -1n, 127n, 128n, 2n ** 32n, 2n ** 35n - 1n, 2n ** 63n - 1n, -(2n ** 63n), -(2n ** 31n)];
const unsigned64 = [0n, 1n, 128n, 2n ** 28n, 2n ** 32n - 1n, 2n ** 56n, 2n ** 63n, 2n ** 64n - 1n];
const floats = [0, -0, 1.5, -1, Number.NaN, Infinity, -Infinity, 3.4028234663852886e38, 1e-45];
const doubles = [...floats, 1e308, 5e-324, 0.1];
const texts = [
  "",
  "a",
  "id-1",
  "ünïcödé",
  "日本語テキスト",
  "😀 and 👩‍👩‍👧",
  "\ufeffmarked",
  "lone \ud800 half",
  "\0",
  "x".repeat(130),
];

function randomScalar(random: Random, type: ScalarType): unknown {
  const isWrong = random.chance(0.002);
  switch (type) {
    case ScalarType.STRING:
      return randomText(random);
    case ScalarType.BOOL:
      return random.chance(0.5);
    case ScalarType.BYTES:
      return random.bytes(random.pick([0, 1, 5, 40, 200]));
    case ScalarType.FLOAT:
      return isWrong ? 1e39 : random.chance(0.5) ? random.pick(floats) : Math.fround(random.next() * 1000);
    case ScalarType.DOUBLE:
      return random.chance(0.5) ? random.pick(doubles) : random.next() * 1e9;
    case ScalarType.INT32:
    case ScalarType.SINT32:
    case ScalarType.SFIXED32:
      return isWrong
        ? random.pick([2 ** 31, 1.5, Number.NaN])
        : random.chance(0.5)
          ? random.pick(signed32)
          : random.below(2 ** 20);
    case ScalarType.UINT32:
    case ScalarType.FIXED32:
      return isWrong
        ? random.pick([-1, 2 ** 32, 0.5])
        : random.chance(0.5)
          ? random.pick(unsigned32)
          : random.below(2 ** 32);
    case ScalarType.INT64:
    case ScalarType.SINT64:
    case ScalarType.SFIXED64:
      return isWrong
        ? 2n ** 63n
        : random.chance(0.5)
          ? random.pick(signed64)
          : BigInt(random.below(2 ** 48)) - 2n ** 40n;
    case ScalarType.UINT64:
    case ScalarType.FIXED64:
      return isWrong
        ? random.pick([-1n, 2n ** 64n])
        : random.chance(0.5)
          ? random.pick(unsigned64)
          : BigInt(random.below(2 ** 48));
  }
}

function randomText(random: Random): string {
  if (random.chance(0.4)) return random.pick(texts);
  const letters = random.chance(0.8) ? "abcdefghij-0123456789" : "aäß€日\u{1f600}\ud83d";
  return Array.from({ length: random.below(random.chance(0.1) ? 300 : 30) }, () => random.pick([...letters])).join("");
}

function randomObject(random: Random, depth: number): Init {
  return Object.fromEntries(
    Array.from({ length: random.below(4) }, () => [randomText(random), randomJson(random, depth + 1)]),
  );
}

function randomJson(random: Random, depth: number): unknown {
  const simple = [null, true, false, 0, -1.5, "text", randomText(random)];
  if (depth > 3 || random.chance(0.6)) return random.pick(simple);
  if (random.chance(0.5)) return randomObject(random, depth);
  return Array.from({ length: random.below(3) }, () => randomJson(random, depth + 1));
}

function randomUnknown(random: Random, schema: DescMessage) {
  const free = [99, 1000, 536_870_910].filter((no) => schema.fields.every(({ number }) => number !== no));
  return Array.from({ length: 1 + random.below(2) }, () => {
    const no = random.pick(free);
    return random.pick([
      { no, wireType: 0, data: Uint8Array.of(0x80, 0x01) },
      { no, wireType: 1, data: random.bytes(8) },
      { no, wireType: 2, data: Uint8Array.of(2, 7, 8) },
      { no, wireType: 5, data: random.bytes(4) },
    ]);
  });
}
