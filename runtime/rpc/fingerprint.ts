import { clone, type DescField, type DescMessage, type Message, toBinary } from "@bufbuild/protobuf";
import { type ReflectMessage, reflect } from "@bufbuild/protobuf/reflect";

/**
 * A request without its key, as bytes that are equal for equal requests. Map entries are put in order first: their
 * order on the wire means nothing, and clients written in Go change it from call to call.
 *
 * `key` is the field's name in TypeScript.
 */
export function fingerprint(schema: DescMessage, request: Message, key: string | undefined): Uint8Array {
  const copy = clone(schema, request);
  const message = reflect(schema, copy);
  const field = schema.fields.find((field) => field.localName === key);
  if (field) message.clear(field);
  orderMaps(message);
  return toBinary(schema, copy);
}

function orderMaps(message: ReflectMessage): ReflectMessage {
  for (const field of message.fields) {
    if (!message.isSet(field)) continue;
    if (field.fieldKind === "map") {
      orderMap(message, field);
    } else if (field.fieldKind === "message") {
      // Set again, because google.protobuf.Struct is kept as a plain object, and what was ordered is a copy of it.
      message.set(field, orderMaps(message.get(field)));
    } else if (field.fieldKind === "list" && field.listKind === "message") {
      const list = message.get(field);
      for (let i = 0; i < list.size; i++) list.set(i, orderMaps(list.get(i) as ReflectMessage));
    }
  }
  return message;
}

function orderMap(message: ReflectMessage, field: DescField & { fieldKind: "map" }): void {
  const map = message.get(field);
  const entries = [...map].sort(([a], [b]) => (String(a) < String(b) ? -1 : 1));
  map.clear();
  for (const [key, value] of entries) {
    map.set(key, field.mapKind === "message" ? orderMaps(value as ReflectMessage) : value);
  }
}
