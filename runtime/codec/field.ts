import type { DescField } from "@bufbuild/protobuf";
import { own } from "./message.js";

/** What a field of a message holds; undefined if another field of its oneof is set, or the message has nothing of its own there. */
export function valueOfField(message: object, { localName: name, oneof }: DescField): unknown {
  const fields = message as Readonly<Record<string, unknown>>;
  if (oneof === undefined) return own(fields, name);
  const choice = own(fields, oneof.localName) as { readonly case?: string; readonly value?: unknown } | undefined;
  return choice?.case === name ? choice.value : undefined;
}

/** Sets a field of a message, as it is: to protobuf-es's reflection a Struct is a message, in which no entry is called `__proto__`. */
export function setField(message: object, { localName: name, oneof }: DescField, value: unknown): void {
  const fields = message as Record<string, unknown>;
  if (oneof === undefined) fields[name] = value;
  else fields[oneof.localName] = { case: name, value };
}

/** Whether a field's values are JSON: protobuf-es has a Struct as such, except in a Value. */
export function isJsonField({ message, parent }: DescField): boolean {
  return message?.typeName === "google.protobuf.Struct" && parent.typeName !== "google.protobuf.Value";
}
