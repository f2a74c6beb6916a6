import { type DescField, type DescMessage, ScalarType, type UnknownField } from "@bufbuild/protobuf";

/** Where fields of a wrong wire type are moved to: nobody else's numbers. */
const ELSEWHERE = 400_000_000;

/**
 * What bytes say by the specification (https://protobuf.dev/programming-guides/encoding/), in bytes that protobuf-es
 * reads so: it takes a field's number for the field, whatever the wire type. Here such a field is in one that is unknown;
 * `movedBack` has it back. An entry of a map has its key and its value only, each once.
 *
 * @throws if they are no message: a value goes past the end of what it is in, say
 */
export function soundBytes(schema: DescMessage, bytes: Uint8Array): Uint8Array {
  const source = { bytes: Buffer.from(bytes), at: 0 };
  return messageUpTo(source, schema, bytes.length);
}

/** An unknown field of a message as it was before `soundBytes` moved it. */
export function movedBack({ fields }: DescMessage, field: UnknownField): UnknownField {
  const original = fields[field.no - ELSEWHERE];
  if (original === undefined) return field;
  const content = field.data.subarray(field.data.findIndex((byte) => byte < 0x80) + 1);
  return { no: original.number, wireType: content[0]!, data: Uint8Array.from(content.subarray(1)) };
}

interface Source {
  readonly bytes: Buffer;
  at: number;
}

function messageUpTo(source: Source, schema: DescMessage, end: number): Buffer {
  const parts: Buffer[] = [];
  while (source.at < end) parts.push(fieldOf(source, schema, readTag(source, end), end));
  return Buffer.concat(parts);
}

function fieldOf(source: Source, schema: DescMessage, tag: number, end: number): Buffer {
  const number = tag >>> 3;
  const wireType = tag & 7;
  const place = schema.fields.findIndex((field) => field.number === number);
  const field = schema.fields[place];
  if (field === undefined) return Buffer.concat([varint(tag), skipped(source, tag, end)]);
  if (field.fieldKind === "map") {
    if (wireType === 2) return delimited(tag, entryOf(source, field, end));
  } else if (wireType === wireTypeOf(field)) return Buffer.concat([varint(tag), contentOf(source, field, tag, end)]);
  else if (wireType === 2 && field.fieldKind === "list" && ![2, 3].includes(wireTypeOf(field))) {
    const stop = lengthOf(source, end);
    const { at } = source;
    while (source.at < stop) contentOf(source, field, tag, stop);
    return delimited(tag, source.bytes.subarray(at, stop));
  }
  const value = skipped(source, tag, end);
  return delimited((ELSEWHERE + place) * 8 + 2, Buffer.concat([varint(wireType), value]));
}

function entryOf(source: Source, field: DescField & { fieldKind: "map" }, end: number): Buffer {
  const stop = lengthOf(source, end);
  const keyTag = 8 + wireTypes(field.mapKey);
  const valueTag = 16 + wireTypeOf(field);
  let key: Buffer | undefined;
  let value: Buffer | undefined;
  while (source.at < stop) {
    const tag = readTag(source, stop);
    if (tag === keyTag) key = skipped(source, tag, stop);
    else if (tag === valueTag && field.message !== undefined) {
      const more = messageUpTo(source, field.message, lengthOf(source, stop));
      value = Buffer.concat([value ?? Buffer.alloc(0), more]);
    } else if (tag === valueTag) value = skipped(source, tag, stop);
    else skipped(source, tag, stop);
  }
  const parts = key === undefined ? [] : [varint(keyTag), key];
  if (value !== undefined)
    parts.push(field.message === undefined ? Buffer.concat([varint(valueTag), value]) : delimited(valueTag, value));
  return Buffer.concat(parts);
}

/** A field's value behind its tag. */
function contentOf(source: Source, field: DescField, tag: number, end: number): Buffer {
  if (field.message === undefined) return skipped(source, (tag & ~7) | wireTypeOf(field), end);
  if (wireTypeOf(field) === 2) {
    const value = messageUpTo(source, field.message, lengthOf(source, end));
    return Buffer.concat([varint(value.length), value]);
  }
  const parts: Buffer[] = [];
  for (;;) {
    const inner = readTag(source, end);
    if ((inner & 7) !== 4) parts.push(fieldOf(source, field.message, inner, end));
    else if (inner >>> 3 === field.number) return Buffer.concat([...parts, varint(inner)]);
    else throw new Error("a group ends as another one");
  }
}

/** Any value, as it is. */
function skipped(source: Source, tag: number, end: number): Buffer {
  const { at } = source;
  if ((tag & 7) === 0) readVarint(source, end);
  else if ((tag & 7) === 1) source.at += 8;
  else if ((tag & 7) === 2) source.at = lengthOf(source, end);
  else if ((tag & 7) === 5) source.at += 4;
  else if ((tag & 7) === 3) {
    for (let inner = readTag(source, end); ; inner = readTag(source, end)) {
      if ((inner & 7) !== 4) skipped(source, inner, end);
      else if (inner >>> 3 === tag >>> 3) break;
      else throw new Error("a group ends as another one");
    }
  } else throw new Error("a group ends that did not begin");
  if (source.at > end) throw new Error("past the end");
  return source.bytes.subarray(at, source.at);
}

function lengthOf(source: Source, end: number): number {
  const length = readVarint(source, end);
  // protobuf-es would take it modulo 2^32.
  if (source.at + Number(length) > end) throw new Error("past the end");
  return source.at + Number(length);
}

function readTag(source: Source, end: number): number {
  const start = source.at;
  const tag = readVarint(source, end);
  if (tag > 0xffff_ffffn || tag < 8n || (tag & 7n) > 5n || source.at - start > 5) throw new Error("no tag");
  return Number(tag);
}

function readVarint(source: Source, end: number): bigint {
  let value = 0n;
  for (let shift = 0n; shift < 70n; shift += 7n) {
    if (source.at >= end) throw new Error("past the end");
    const byte = source.bytes[source.at++]!;
    value |= BigInt(byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
  throw new Error("a varint of more than ten bytes");
}

export function delimited(tag: number, content: Uint8Array): Buffer {
  return Buffer.concat([varint(tag), varint(content.length), content]);
}

export function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 0x7f; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 0x80);
  return Buffer.from([...bytes, rest]);
}

function wireTypeOf(field: DescField): number {
  if (field.message === undefined) return wireTypes(field.scalar ?? ScalarType.INT32);
  return "delimitedEncoding" in field && field.delimitedEncoding === true ? 3 : 2;
}

function wireTypes(type: ScalarType): number {
  switch (type) {
    case ScalarType.DOUBLE:
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
      return 1;
    case ScalarType.FLOAT:
    case ScalarType.FIXED32:
    case ScalarType.SFIXED32:
      return 5;
    case ScalarType.STRING:
    case ScalarType.BYTES:
      return 2;
    default:
      return 0;
  }
}
