/** The functions that generated codecs import. */
export { type Codec, defineCodec, type Init } from "./codec.js";
export { boolKey, entries, has, inherit, isZero, knows, noBytes, numberKey, own, put, wrap } from "./message.js";
export type { Reader } from "./reader.js";
export type { Writer } from "./writer.js";
