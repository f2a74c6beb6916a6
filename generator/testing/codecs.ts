import type { Codec } from "@protoscaffold/runtime/codec/codec";
import * as struct from "@protoscaffold/runtime/codec/google/protobuf/struct_codec";
import * as wrappers from "@protoscaffold/runtime/codec/google/protobuf/wrappers_codec";
import * as editions from "../testdata/codec/expected/generated/editions_codec.js";
import * as three from "../testdata/codec/expected/generated/three_codec.js";
import * as two from "../testdata/codec/expected/generated/two_codec.js";

/** The codecs of contracts that have fields of every kind, in every syntax. */
export const codecs: readonly Codec[] = [three, two, editions, struct, wrappers].flatMap((module) =>
  Object.values(module as Record<string, unknown>).filter(isCodec),
);

function isCodec(value: unknown): value is Codec {
  return typeof value === "object" && value !== null && "schema" in value;
}
