import type { DescMessage } from "@bufbuild/protobuf";
import type { Codec } from "./codec.js";
import { keepTextExact } from "./exact-text.js";
import { reflectedCodec } from "./reflected.js";

/** The generated codecs that services and clients have registered. */
const known = new WeakMap<DescMessage, Codec>();

/** Registers codecs for `codecOf`. Services and clients do this when they are created; importing a file has no such effect. */
export function know(codecs: readonly Codec[]): void {
  keepTextExact();
  for (const codec of codecs) known.set(codec.schema, codec);
}

/** Returns the codec of a message type: the registered one, or else one that works by reflection. */
export function codecOf<D extends DescMessage>(schema: D): Codec<D> {
  // The map's key and value are always of the same message type.
  return (known.get(schema) as Codec<D> | undefined) ?? reflectedCodec(schema);
}
