import type { Codec } from "@protoscaffold/runtime/codec/codec";
import * as struct from "@protoscaffold/runtime/codec/google/protobuf/struct_codec";
import * as wrappers from "@protoscaffold/runtime/codec/google/protobuf/wrappers_codec";
import { reflectedCodec } from "@protoscaffold/runtime/codec/reflected";
import * as editions from "../testdata/codec/expected/generated/editions_codec.js";
import * as three from "../testdata/codec/expected/generated/three_codec.js";
import * as two from "../testdata/codec/expected/generated/two_codec.js";

const generated = [three, two, editions, struct, wrappers].flatMap((module) =>
  Object.values(module as Record<string, unknown>).filter(isCodec),
);

/**
 * The codecs of contracts that have fields of every kind, in every syntax; and the same messages without what is
 * generated for them.
 */
export const codecs: readonly Codec[] = [...generated, ...generated.map(({ schema }) => reflectedCodec(schema))];

function isCodec(value: unknown): value is Codec {
  return typeof value === "object" && value !== null && "schema" in value;
}
