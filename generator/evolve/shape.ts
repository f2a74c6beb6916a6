import {
  create,
  createFileRegistry,
  type DescEnum,
  type DescField,
  type DescFile,
  type DescMessage,
  type DescOneof,
} from "@bufbuild/protobuf";
import * as wkt from "@bufbuild/protobuf/wkt";
import {
  type DescriptorProto,
  DescriptorProtoSchema,
  Edition,
  EnumDescriptorProtoSchema,
  type FeatureSet,
  FeatureSet_EnumType,
  FeatureSet_FieldPresence,
  FeatureSet_MessageEncoding,
  FeatureSet_RepeatedFieldEncoding,
  FeatureSetSchema,
  type FieldDescriptorProto,
  FieldDescriptorProto_Label,
  FieldDescriptorProto_Type,
  FieldDescriptorProtoSchema,
  type FileDescriptorProto,
  FileDescriptorProtoSchema,
} from "@bufbuild/protobuf/wkt";

/** Protobuf's own files, which never change. */
export const wellKnownFiles = new Map<string, DescFile>(
  Object.values(wkt).flatMap((value) =>
    typeof value === "object" && "kind" in value && value.kind === "file"
      ? [[`${value.name}.proto`, value] as const]
      : [],
  ),
);

/**
 * Returns a message and the messages that it contains as a file that does not depend on others. It describes the wire format
 * only: it is the same for each syntax, and comments, options and places are left out.
 *
 * @param path the path of that file, without ".proto"
 * @param suffix appended to the names of all types. Default: nothing
 */
export function shapeOf(root: DescMessage, path = root.file.name, suffix = ""): FileDescriptorProto {
  const home = root.file.proto.package;
  const own = reachable(root);
  const nameOf = ({ typeName }: DescMessage | DescEnum) =>
    (home !== "" && typeName.startsWith(`${home}.`) ? typeName.slice(home.length + 1) : typeName).replaceAll(".", "_") +
    suffix;
  const typeOf = (desc: DescMessage | DescEnum) =>
    isWellKnown(desc) ? `.${desc.typeName}` : `.${home === "" ? "" : `${home}.`}${nameOf(desc)}`;
  const messages = own.filter((desc) => desc.kind === "message");
  const used = own.flatMap((desc) => (desc.kind === "message" ? desc.fields : [])).flatMap((field) => held(field));
  return create(FileDescriptorProtoSchema, {
    name: `${path}.proto`,
    package: home,
    syntax: "editions",
    edition: Edition.EDITION_2023,
    dependency: [...new Set(used.filter(isWellKnown).map(({ file }) => `${file.name}.proto`))].sort(),
    messageType: messages.map((message) => messageShape(message, nameOf, typeOf)),
    enumType: own.filter((desc) => desc.kind === "enum").map((desc) => enumShape(desc, nameOf(desc))),
    // The default of proto3, which most files use.
    options: { features: { fieldPresence: FeatureSet_FieldPresence.IMPLICIT } },
  });
}

/** Returns the first message of a file that `shapeOf` made. Throws if the file is invalid. */
export function messageOf(shape: FileDescriptorProto): DescMessage {
  const registry = createFileRegistry(shape, (name) => wellKnownFiles.get(name));
  const message = registry.getFile(shape.name)?.messages[0];
  if (message === undefined) throw new Error(`${shape.name} has no message`);
  return message;
}

export function isWellKnown({ typeName }: DescMessage | DescEnum): boolean {
  return typeName.startsWith("google.protobuf.");
}

/** Returns the message or enum type of a field, also of a list or map. */
export function held({ message, enum: desc }: DescField): (DescMessage | DescEnum)[] {
  return message !== undefined ? [message] : desc !== undefined ? [desc] : [];
}

/** Returns a message and the project's own types that it can contain, starting with itself. */
function reachable(root: DescMessage): (DescMessage | DescEnum)[] {
  const found = new Set<DescMessage | DescEnum>([root]);
  for (const desc of found) {
    if (desc.kind !== "message") continue;
    for (const field of desc.fields) for (const inner of held(field)) if (!isWellKnown(inner)) found.add(inner);
  }
  return [...found];
}

function messageShape(
  message: DescMessage,
  nameOf: (desc: DescMessage) => string,
  typeOf: (desc: DescMessage | DescEnum) => string,
): DescriptorProto {
  const entries: DescriptorProto[] = [];
  const field = message.fields.map((desc) => {
    const proto = fieldShape(desc, message.oneofs, typeOf);
    if (desc.fieldKind === "map") {
      const entry = mapEntry(desc, typeOf);
      entries.push(entry);
      proto.typeName = `${typeOf(message)}.${entry.name}`;
    }
    return proto;
  });
  return create(DescriptorProtoSchema, {
    name: nameOf(message),
    field,
    oneofDecl: message.oneofs.map(({ name }) => ({ name })),
    nestedType: entries,
    reservedRange: message.proto.reservedRange.map(({ start, end }) => ({ start, end })),
  });
}

function fieldShape(
  field: DescField,
  oneofs: readonly DescOneof[],
  typeOf: (desc: DescMessage | DescEnum) => string,
): FieldDescriptorProto {
  const isRepeated = field.fieldKind === "list" || field.fieldKind === "map";
  const [type] = held(field);
  const features = featuresOf(field);
  return create(FieldDescriptorProtoSchema, {
    name: field.name,
    jsonName: field.jsonName,
    number: field.number,
    label: isRepeated ? FieldDescriptorProto_Label.REPEATED : FieldDescriptorProto_Label.OPTIONAL,
    // Groups are messages with another delimiter, which the features state.
    type: field.proto.type === FieldDescriptorProto_Type.GROUP ? FieldDescriptorProto_Type.MESSAGE : field.proto.type,
    ...(field.fieldKind !== "map" && type !== undefined && { typeName: typeOf(type) }),
    ...(field.oneof !== undefined && { oneofIndex: oneofs.indexOf(field.oneof) }),
    ...(field.proto.defaultValue !== "" && { defaultValue: field.proto.defaultValue }),
    ...(features !== undefined && { options: { features } }),
  });
}

/** Returns the features of a field that differ from the defaults. */
function featuresOf(field: DescField): FeatureSet | undefined {
  const features = create(FeatureSetSchema);
  const isSingular = field.fieldKind === "scalar" || field.fieldKind === "enum";
  if (isSingular && field.oneof === undefined && field.presence !== FeatureSet_FieldPresence.IMPLICIT) {
    features.fieldPresence = field.presence;
  }
  if (field.presence === FeatureSet_FieldPresence.LEGACY_REQUIRED) features.fieldPresence = field.presence;
  const isPackable = field.fieldKind === "list" && (field.listKind === "enum" || isNumber(field));
  if (isPackable && !field.packed) features.repeatedFieldEncoding = FeatureSet_RepeatedFieldEncoding.EXPANDED;
  if (isDelimited(field)) features.messageEncoding = FeatureSet_MessageEncoding.DELIMITED;
  return Object.keys(features).length > 1 ? features : undefined;
}

/** Returns whether the field is encoded as a group: between two tags. */
export function isDelimited(field: DescField): boolean {
  return "delimitedEncoding" in field && field.delimitedEncoding === true;
}

function isNumber(field: DescField & { fieldKind: "list" }): boolean {
  const { STRING, BYTES } = FieldDescriptorProto_Type;
  return field.listKind === "scalar" && field.proto.type !== STRING && field.proto.type !== BYTES;
}

function mapEntry(
  field: DescField & { fieldKind: "map" },
  typeOf: (desc: DescMessage | DescEnum) => string,
): DescriptorProto {
  const name = field.proto.typeName.slice(field.proto.typeName.lastIndexOf(".") + 1);
  const [type] = held(field);
  const label = FieldDescriptorProto_Label.OPTIONAL;
  const { ENUM, MESSAGE } = FieldDescriptorProto_Type;
  const value = field.mapKind === "scalar" ? (field.scalar as number) : field.mapKind === "enum" ? ENUM : MESSAGE;
  return create(DescriptorProtoSchema, {
    name,
    field: [
      { name: "key", number: 1, label, type: field.mapKey as number },
      { name: "value", number: 2, label, type: value, ...(type !== undefined && { typeName: typeOf(type) }) },
    ],
    options: { mapEntry: true },
  });
}

function enumShape(desc: DescEnum, name: string) {
  const aliased = new Set(desc.values.map(({ number }) => number)).size < desc.values.length;
  return create(EnumDescriptorProtoSchema, {
    name,
    value: desc.values.map(({ name, number }) => ({ name, number })),
    ...((aliased || !desc.open) && {
      options: {
        ...(aliased && { allowAlias: true }),
        ...(!desc.open && { features: { enumType: FeatureSet_EnumType.CLOSED } }),
      },
    }),
  });
}
