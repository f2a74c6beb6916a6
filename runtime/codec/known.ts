import type { DescMessage } from "@bufbuild/protobuf";
import type { Codec } from "./codec.js";
import { keepTextExact } from "./exact-text.js";
import { reflectedCodec } from "./reflected.js";

/** The codecs that services, and clients of services, have brought along. */
const known = new WeakMap<DescMessage, Codec>();

/** Makes codecs known to `codecOf`. Services and clients do, when they are made; importing a file never does. */
export function know(codecs: readonly Codec[]): void {
  keepTextExact();
  for (const codec of codecs) known.set(codec.schema, codec);
}

/** The codec of a message type: the generated one if it is known, else protobuf-es itself. */
export function codecOf<D extends DescMessage>(schema: D): Codec<D> {
  // What is known under a schema is of that schema.
  return (known.get(schema) as Codec<D> | undefined) ?? reflectedCodec(schema);
}
