import { type DescMessage, getOption } from "@bufbuild/protobuf";
import { field as fieldRules } from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";
import { violated } from "../../call/violations.js";
import type { Entity } from "../../spec/entity.js";

/** The maximum length of a key. A PostgreSQL B-tree entry takes 2,704 bytes, and may contain other columns beside the key. */
const LONGEST_KEY_BYTES = 1024;

const bounds = new WeakMap<DescMessage, number>();

/** @throws ConnectError INVALID_ARGUMENT if a new row's key is too long, unless its contract limits the length itself */
export function checkKeyLength({ schema, key: name }: Entity, key: string): void {
  // A character takes four bytes at most.
  if (key.length * 4 <= LONGEST_KEY_BYTES) return;
  let longest = bounds.get(schema);
  if (longest === undefined) {
    longest = boundOf(schema, name);
    bounds.set(schema, longest);
  }
  const bytes = Buffer.byteLength(key);
  if (bytes <= longest) return;
  const field = schema.field[name]!.name;
  const description = `has ${bytes} bytes: it may have ${longest}, unless its contract sets string.max_len or string.max_bytes`;
  throw violated([{ field, description, reason: "KEY_TOO_LONG" }]);
}

function boundOf(schema: DescMessage, name: string): number {
  const { type } = getOption(schema.field[name]!, fieldRules);
  if (type.case !== "string") return LONGEST_KEY_BYTES;
  const { maxLen, len, maxBytes, lenBytes } = type.value;
  // Zero stands for a missing rule: no key has zero characters.
  return maxLen || len || maxBytes || lenBytes ? Number.POSITIVE_INFINITY : LONGEST_KEY_BYTES;
}
