/** All that generated codecs are made of. */
export { type Codec, defineCodec, type Init } from "./codec.js";
export { readJsonObject, writeJsonObject } from "./json.js";
export { boolKey, entries, has, inherit, isZero, knows, noBytes, numberKey, own, put, wrap } from "./message.js";
export type { Reader } from "./reader.js";
export { readReflected, writeReflected } from "./reflected.js";
export type { Writer } from "./writer.js";
