import type { DescField } from "@bufbuild/protobuf";
import { own } from "./message.js";

/** Returns a field's value, or undefined if the field is not an own property or another field of its oneof is set. */
export function valueOfField(message: object, { localName: name, oneof }: DescField): unknown {
  const fields = message as Readonly<Record<string, unknown>>;
  if (oneof === undefined) return own(fields, name);
  const choice = own(fields, oneof.localName) as { readonly case?: string; readonly value?: unknown } | undefined;
  return choice?.case === name ? choice.value : undefined;
}

/** Sets a field's value without conversion. protobuf-es's reflection would convert a Struct to a message, and lose the key `__proto__`. */
export function setField(message: object, { localName: name, oneof }: DescField, value: unknown): void {
  const fields = message as Record<string, unknown>;
  if (oneof === undefined) fields[name] = value;
  else fields[oneof.localName] = { case: name, value };
}

/** Returns whether a field's values are JSON: protobuf-es represents a Struct as JSON, except inside a Value. */
export function isJsonField({ message, parent }: DescField): boolean {
  return message?.typeName === "google.protobuf.Struct" && parent.typeName !== "google.protobuf.Value";
}
