/** For `_codec` files: messages as bytes, and back. Internal: versioned with the tool. */
export * from "../codec/google/protobuf/any_codec.js";
export * from "../codec/google/protobuf/duration_codec.js";
export * from "../codec/google/protobuf/empty_codec.js";
export * from "../codec/google/protobuf/field_mask_codec.js";
export * from "../codec/google/protobuf/struct_codec.js";
export * from "../codec/google/protobuf/timestamp_codec.js";
export * from "../codec/google/protobuf/wrappers_codec.js";
export { readJsonObject, writeJsonObject } from "../codec/json.js";
export * from "../codec/parts.js";
export { readReflected, writeReflected } from "../codec/reflected.js";
