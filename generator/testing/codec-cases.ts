import { isDeepStrictEqual } from "node:util";
import { type DescMessage, fromBinary, type Message, toBinary } from "@bufbuild/protobuf";
import { reflect } from "@bufbuild/protobuf/reflect";
import type { Codec } from "@protoscaffold/runtime/codec/codec";
import { keepTextExact } from "@protoscaffold/runtime/codec/exact-text";
import { Writer } from "@protoscaffold/runtime/codec/writer";
import { Random } from "./random.js";
import { createOwn, randomInit } from "./random-message.js";
import { delimited, movedBack, soundBytes, varint } from "./sound.js";

/** What went through a codec and protobuf-es, and how it ended: so that nothing is proven by refusals alone. */
export interface Tally {
  encoded: number;
  decoded: number;
  refused: number;
}

/**
 * Has codecs and protobuf-es do the same with random messages and random bytes, case after case.
 *
 * @throws Error at the first difference, with the seed and all that is needed to see it again
 */
export function compareCodecs(codecs: readonly Codec[], { seed, cases }: { seed: number; cases: number }): Tally {
  keepTextExact();
  const tally = { encoded: 0, decoded: 0, refused: 0 };
  for (let number = 0; number < cases; number++) {
    const random = new Random(seed + number);
    const codec = random.pick(codecs);
    try {
      compareOne(random, codec, tally);
    } catch (error) {
      throw new Error(`seed ${seed + number}, ${codec.schema.typeName}: ${(error as Error).message}`, { cause: error });
    }
  }
  return tally;
}

function compareOne(random: Random, codec: Codec, tally: Tally): void {
  const init = randomInit(random, codec.schema);
  const bytes = compareEncoding(random, codec, init, tally);
  if (bytes === undefined) return;
  compareDecoding(random, codec, bytes, tally);
  const other = random.chance(0.3) ? outcome(() => wire(codec.schema, randomInit(random, codec.schema))) : undefined;
  if (other?.value !== undefined) compareDecoding(random, codec, Buffer.concat([bytes, other.value]), tally);
  for (let left = random.below(4); left > 0; left--)
    compareDecoding(random, codec, mutate(random, codec, bytes), tally);
}

function wire(schema: DescMessage, init: object): Uint8Array {
  return toBinary(schema, createOwn(schema, init));
}

function compareEncoding(random: Random, codec: Codec, init: object, tally: Tally): Uint8Array | undefined {
  const expected = outcome(() => wire(codec.schema, init));
  // Into the middle of what is there, and with little room.
  const writer = new Writer(random.pick([1, 16, 1024]));
  const before = random.bytes(random.below(20));
  writer.raw(before);
  const result = outcome(() => codec.encode(init as Record<string, unknown>, writer));
  const written = writer.buffer.subarray(before.length, writer.at);
  if (!writer.buffer.subarray(0, before.length).equals(before)) throw new Error("what was there before is gone");
  if (expected.value === undefined) {
    tally.refused++;
    if (result.error === undefined) throw new Error(`encoded what protobuf-es refuses: ${expected.error}`);
    if (written.length > 0) throw new Error("a refused message left bytes");
    return undefined;
  }
  if (result.error !== undefined) throw result.error;
  if (!written.equals(expected.value)) throw new Error(`encoded ${hex(written)}\ninstead of ${hex(expected.value)}`);
  tally.encoded++;
  return expected.value;
}

function compareDecoding(random: Random, codec: Codec, bytes: Uint8Array, tally: Tally): void {
  // Of a Buffer, protobuf-es would keep parts that are Buffers, too.
  const expected = outcome(() => oracle(codec.schema, bytes));
  // In the middle of a buffer that is used for something else afterwards.
  const start = random.below(5);
  const around = Buffer.alloc(start + bytes.length + random.below(12), random.pick([0, 0x7f, 0x80, 0xff]));
  around.set(bytes, start);
  const result = outcome(() => codec.decode(around, start, start + bytes.length));
  around.fill(0xaa);
  if (expected.value === undefined || result.value === undefined) {
    tally.refused++;
    if (expected.value !== undefined) throw new Error(`refused ${hex(bytes)}: ${result.error}`);
    if (result.value !== undefined) throw new Error(`accepted ${hex(bytes)}, not so protobuf-es: ${expected.error}`);
    return;
  }
  tally.decoded++;
  if (isDeepStrictEqual(result.value, expected.value)) {
    const again = outcome(() => codec.toBytes(result.value as Record<string, unknown>));
    const back = outcome(() => toBinary(codec.schema, expected.value as Message));
    if (!isSame(codec.schema, again.value, back.value)) {
      throw new Error(`what was read from ${hex(bytes)} is written otherwise: ${again.error ?? back.error}`);
    }
    return;
  }
  if (!lostByProtobufEs(codec.schema, result.value, expected.value)) {
    throw new Error(`decoded ${hex(bytes)} as\n${show(result.value)}\ninstead of\n${show(expected.value)}`);
  }
}

/** What bytes say: protobuf-es's word for it, once it is told which fields are which. */
function oracle(schema: DescMessage, bytes: Uint8Array): Message {
  const message = fromBinary(schema, Uint8Array.from(soundBytes(schema, bytes)));
  eachMessage(schema, message, (desc, each) => {
    if (each.$unknown !== undefined) each.$unknown = each.$unknown.map((field) => movedBack(desc, field));
  });
  return message;
}

/** Whether both were refused, or say the same: what is not a number has many forms, and JavaScript does not say which. */
function isSame(schema: DescMessage, ours: Uint8Array | undefined, theirs: Uint8Array | undefined): boolean {
  if (ours === undefined || theirs === undefined) return ours === theirs;
  if (Buffer.compare(ours, theirs) === 0) return true;
  const [one, other] = [ours, theirs].map((bytes) => fromBinary(schema, Uint8Array.from(bytes)));
  return ours.length === theirs.length && isDeepStrictEqual(one, other);
}

/**
 * Whether two messages differ in this only: protobuf-es forgets what a closed enum does not have, if the message has
 * other unknown fields, too.
 */
function lostByProtobufEs(schema: DescMessage, ours: Message, theirs: Message): boolean {
  withoutClosed(schema, ours);
  withoutClosed(schema, theirs);
  return isDeepStrictEqual(ours, theirs);
}

function withoutClosed(schema: DescMessage, message: Message): void {
  eachMessage(schema, message, (desc, each) => {
    const numbers = new Set(desc.fields.filter((field) => field.enum?.open === false).map(({ number }) => number));
    const left = each.$unknown?.filter(({ no }) => !numbers.has(no));
    if (left !== undefined && left.length > 0) each.$unknown = left;
    else delete each.$unknown;
  });
}

/** Visits a message, and all that are in it. */
function eachMessage(schema: DescMessage, message: Message, visit: (schema: DescMessage, message: Message) => void) {
  visit(schema, message);
  const fields = reflect(schema, message, false);
  for (const field of schema.fields) {
    const inner = field.message;
    if (inner === undefined || !fields.isSet(field)) continue;
    const go = (item: unknown) => eachMessage(inner, (item as { message: Message }).message, visit);
    if (field.fieldKind === "message") go(fields.get(field));
    if (field.fieldKind === "list") for (const item of fields.get(field)) go(item);
    if (field.fieldKind === "map") for (const item of fields.get(field).values()) go(item);
  }
}

/** Bytes as a broken or hostile peer may send them. */
function mutate(random: Random, { schema }: Codec, bytes: Uint8Array): Uint8Array {
  const at = random.below(bytes.length + 1);
  const [head, tail] = [bytes.subarray(0, at), bytes.subarray(at)];
  switch (random.below(7)) {
    case 0:
      return head;
    case 1:
      return Buffer.concat([head, random.bytes(1 + random.below(3)), tail]);
    case 2:
      return Buffer.concat([head, tail.subarray(1 + random.below(3))]);
    case 3: {
      const copy = Uint8Array.from(bytes);
      for (let left = random.below(4); left >= 0 && copy.length > 0; left--)
        copy[random.below(copy.length)] = random.below(256);
      return copy;
    }
    case 4: {
      const copy = Uint8Array.from(bytes);
      if (copy.length > 0) copy[at % copy.length]! ^= 1 << random.below(8);
      return copy;
    }
    case 5:
      return Buffer.concat([bytes, ...Array.from({ length: 1 + random.below(4) }, () => randomField(random, schema))]);
    default:
      return nested(random, schema, bytes);
  }
}

/** A field of the message, or none, of any wire type, with a value that may be one of it. */
function randomField(random: Random, { fields }: DescMessage): Uint8Array {
  const field = fields.length > 0 && random.chance(0.85) ? random.pick(fields) : undefined;
  if (field?.fieldKind === "map" && random.chance(0.8)) return delimited(field.number * 8 + 2, randomEntry(random));
  return randomValue(random, field?.number ?? 1 + random.below(5000));
}

/** Keys and values of any type, none, several; and what is neither. */
function randomEntry(random: Random): Uint8Array {
  return Buffer.concat(
    Array.from({ length: random.below(5) }, () => randomValue(random, random.pick([1, 1, 2, 2, 2, 3]))),
  );
}

function randomValue(random: Random, number: number): Uint8Array {
  const wireType = random.pick([0, 0, 1, 2, 2, 3, 4, 5, 6]);
  const values = [
    random.bytes(random.below(12)),
    Uint8Array.of(random.below(128)),
    Uint8Array.of(3, 8, 1, 16),
    Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x0f),
    Buffer.concat([Uint8Array.of(2), Buffer.from("é")]),
  ];
  const end = wireType === 3 && random.chance(0.7) ? varint((number * 8 + 4) >>> 0) : Buffer.alloc(0);
  return Buffer.concat([varint((number * 8 + wireType) >>> 0), random.pick(values), end]);
}

/** The message in itself, as deep as it may be, or deeper; else in a field that nobody knows, as a group in groups. */
function nested(random: Random, schema: DescMessage, bytes: Uint8Array): Uint8Array {
  const levels = random.pick([1, 2, 97, 98, 99, 100, 101]);
  const itself = schema.fields.filter((field) => field.message === schema && field.fieldKind !== "map");
  const field = itself.length > 0 ? random.pick(itself) : undefined;
  const isGroup = field === undefined || ("delimitedEncoding" in field && field.delimitedEncoding === true);
  const number = field?.number ?? 4999;
  let inner: Uint8Array = field === undefined ? Buffer.alloc(0) : bytes;
  for (let level = 0; level < levels; level++) {
    inner = isGroup
      ? Buffer.concat([varint(number * 8 + 3), inner, varint(number * 8 + 4)])
      : Buffer.concat([varint(number * 8 + 2), varint(inner.length), inner]);
  }
  return inner;
}

type Outcome<T> = { value: T; error?: undefined } | { value?: undefined; error: unknown };

function outcome<T>(run: () => T): Outcome<T> {
  try {
    return { value: run() };
  } catch (error) {
    return { error };
  }
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

function show(value: unknown): string {
  return JSON.stringify(value, (_, each: unknown) => (typeof each === "bigint" ? `${each}n` : each));
}
