import { type DescEnum, type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";

/** Returns the JSON shape of a field: `repeated shop.orders.v1.OrderLine`, `map<string, int64>`. */
export function jsonType(field: DescField): string {
  switch (field.fieldKind) {
    case "list":
      return `repeated ${elementType(field)}`;
    case "map":
      return `map<${scalarName(field.mapKey)}, ${elementType(field)}>`;
    default:
      return elementType(field);
  }
}

/** Returns all messages that these fields contain, directly or not, by full name: the JSON shape of each field number. */
export function jsonMessages(fields: readonly DescField[]): Record<string, Record<number, string>> {
  const found = new Map<string, Record<number, string>>();
  const visit = (field: DescField) => {
    const message = field.message;
    // Well-known types have their own JSON form, which does not change.
    if (message === undefined || message.typeName.startsWith("google.protobuf.") || found.has(message.typeName)) return;
    const shape = message.fields.map((inner) => [inner.number, `${inner.jsonName}: ${jsonType(inner)}`]);
    found.set(message.typeName, Object.fromEntries(shape));
    message.fields.forEach(visit);
  };
  fields.forEach(visit);
  return Object.fromEntries([...found].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function elementType(field: DescField & { message?: DescMessage; enum?: DescEnum; scalar?: ScalarType }): string {
  // Enum values are stored as numbers, so neither their names nor the enum's matter.
  return field.message?.typeName ?? (field.enum === undefined ? scalarName(field.scalar!) : "enum");
}

function scalarName(scalar: ScalarType): string {
  return ScalarType[scalar].toLowerCase();
}
