import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import type { ListValue, Struct, Value } from "@bufbuild/protobuf/wkt";
import { readStruct } from "./google/protobuf/struct_codec.js";
import { put } from "./message.js";
import type { Reader } from "./reader.js";
import type { Writer } from "./writer.js";

/** Writes a google.protobuf.Struct, which protobuf-es represents as JSON in fields. */
export function writeJsonObject(writer: Writer, json: JsonObject): void {
  if (typeof json !== "object" || json === null || Array.isArray(json)) throw new TypeError("a Struct is an object");
  for (const [key, value] of Object.entries(json)) {
    const start = writer.open(1);
    writer.tag(1, 2).string(key);
    writeField(writer, 2, value);
    writer.close(start);
  }
}

/** Writes a google.protobuf.Value in a field. A value that JSON does not have, such as undefined, becomes a Value without a kind. */
function writeField(writer: Writer, number: number, json: JsonValue): void {
  const start = writer.open(number);
  if (json === null) writer.tag(1, 0).int32(0);
  else if (typeof json === "number") writer.tag(2, 1).double(json);
  else if (typeof json === "string") writer.tag(3, 2).string(json);
  else if (typeof json === "boolean") writer.tag(4, 0).bool(json);
  else if (Array.isArray(json)) {
    const list = writer.open(6);
    for (const each of json) writeField(writer, 1, each);
    writer.close(list);
  } else if (typeof json === "object") {
    const struct = writer.open(5);
    writeJsonObject(writer, json);
    writer.close(struct);
  }
  writer.close(start);
}

/** Reads a google.protobuf.Struct as JSON, merging the fields into an existing one. */
export function readJsonObject(reader: Reader, end: number, json: JsonObject = {}): JsonObject {
  return addTo(json, readStruct(reader, end));
}

function addTo(json: JsonObject, struct: Struct): JsonObject {
  for (const [key, value] of Object.entries(struct.fields)) put(json, key, jsonOf(value));
  return json;
}

function jsonOf({ kind }: Value): JsonValue {
  switch (kind.case) {
    case "structValue":
      return addTo({}, kind.value);
    case "listValue":
      return (kind.value as ListValue).values.map(jsonOf);
    case undefined:
    case "nullValue":
      return null;
    default:
      return kind.value;
  }
}
