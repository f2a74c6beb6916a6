import type { DescField, DescMessage, Message } from "@bufbuild/protobuf";
import { type ReflectMessage, reflect } from "@bufbuild/protobuf/reflect";
import { anyInside } from "../any-inside.js";

// google.protobuf.FeatureSet.FieldPresence
const LEGACY_REQUIRED = 3;

/** Returns whether a message type, or one inside it, has a field that proto2 requires. */
const demands = anyInside(({ fields }) => fields.some(({ presence }) => presence === LEGACY_REQUIRED));

/** Returns the path of a required field of proto2 that is not set, or undefined. */
export function missingRequired(schema: DescMessage, message: Message): string | undefined {
  return demands(schema) ? find(reflect(schema, message, false)) : undefined;
}

function find(message: ReflectMessage): string | undefined {
  for (const field of message.fields) {
    if (message.isSet(field)) {
      const inside = findIn(message, field);
      if (inside !== undefined) return `${field.name}${inside}`;
    } else if (field.presence === LEGACY_REQUIRED) return field.name;
  }
  return undefined;
}

/** Returns the rest of the path for a missing field inside this field. */
function findIn(message: ReflectMessage, field: DescField): string | undefined {
  if (field.message === undefined || !demands(field.message)) return undefined;
  switch (field.fieldKind) {
    case "list":
      return first(message.get(field) as Iterable<unknown>, (index) => `[${index}]`);
    case "map": {
      const entries = [...message.get(field)];
      return first(
        entries.map(([, value]) => value),
        (index) => `[${JSON.stringify(entries[index]![0])}]`,
      );
    }
    default:
      return first([message.get(field as DescField & { fieldKind: "message" })], () => "");
  }
}

function first(messages: Iterable<unknown>, place: (index: number) => string): string | undefined {
  let index = 0;
  for (const each of messages) {
    const inside = find(each as ReflectMessage);
    if (inside !== undefined) return `${place(index)}.${inside}`;
    index++;
  }
  return undefined;
}
