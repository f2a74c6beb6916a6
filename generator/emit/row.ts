import { type DescField, type DescOneof, ScalarType } from "@bufbuild/protobuf";
import type { GeneratedFile, Printable } from "@bufbuild/protoplugin";
import type { Column, Entity } from "../contract/contract.js";
import { entryOf } from "../contract/entities/column-types.js";
import { identifier } from "../contract/names/identifier.js";
import { lowerFirst } from "../contract/names/names.js";
import { isOwnMessage } from "./field-type.js";
import { fromRuntime, local } from "./print.js";

/** Emits a row's type, and the functions that convert a message to a row and back. */
export function emitRow(entity: Entity, f: GeneratedFile): void {
  emitType(entity, f);
  f.print();
  emitToRow(entity, f);
  f.print();
  emitFromRow(entity, f);
}

function emitType(entity: Entity, f: GeneratedFile): void {
  f.print(f.jsDoc(`A row of ${entity.table}.\n\n@generated from ${entity.desc}`));
  f.print(f.export("type", entity.exports.row), " = {");
  for (const column of entity.columns) {
    f.print("  ", column.desc.localName, ": ", typeOf(entity, column, f), column.nullable ? " | null" : "", ";");
  }
  f.print("};");
}

/** Returns a field's type in its message, without undefined. A wrapper has the type of its value. */
function typeOf(entity: Entity, column: Column, f: GeneratedFile): Printable {
  const { desc } = column;
  const { typeScript } = entryOf(column);
  if (desc.fieldKind === "enum") return f.importShape(desc.enum);
  if (typeof typeScript === "string") return typeScript;
  if (typeScript !== undefined) return f.import(typeScript.wellKnown, "@bufbuild/protobuf/wkt", true);
  if (isOwnMessage(desc)) return [f.importShape(desc.message), desc.fieldKind === "list" ? "[]" : ""];
  if (desc.fieldKind === "message") return f.import("JsonObject", "@bufbuild/protobuf", true);
  return [f.importShape(entity.desc), `["${desc.localName}"]`];
}

function emitToRow(entity: Entity, f: GeneratedFile): void {
  const { desc, exports } = entity;
  const parameter = identifier(lowerFirst(desc.name));
  const message = here(entity, parameter, f);
  f.print(f.jsDoc(`Returns the row for a message of type ${desc.name}.\n\n@generated from ${desc}`));
  f.print(f.export("function", exports.toRow), "(", message, ": ", f.importShape(desc), "): ", exports.row, " {");
  f.print("  return {");
  for (const column of entity.columns) {
    f.print("    ", column.desc.localName, ": ", toColumn(entity, column, message, f), ",");
  }
  f.print("  };");
  f.print("}");
}

function toColumn(entity: Entity, column: Column, message: Printable, f: GeneratedFile): Printable {
  const { desc, nullable, emptyIsNull } = column;
  if (desc.oneof !== undefined) {
    const oneof: Printable = [message, ".", desc.oneof.localName];
    const wrapped = isWrapper(column) ? ".value" : "";
    return [oneof, `.case === "${desc.localName}" ? `, oneof, `.value${wrapped} : null`];
  }
  const value: Printable = [message, ".", desc.localName];
  if (emptyIsNull) return [value, " || null"];
  return nullable ? orNull(entity, desc, message, value, f) : value;
}

/** Returns the value of a column. Unset fields are NULL. With proto2 and editions, an unset scalar reads as its default. */
function orNull(entity: Entity, field: DescField, message: Printable, value: Printable, f: GeneratedFile): Printable {
  if (mayBeUndefined(field)) {
    if (!(field.localName in Object.prototype)) return [value, " ?? null"];
    return [fromRuntime(f, "own", "schema"), "(", message, `, "${field.localName}") ?? null`];
  }
  const descriptor: Printable = [f.importSchema(entity.desc), ".field.", field.localName];
  return [f.import("isFieldSet", "@bufbuild/protobuf"), "(", message, ", ", descriptor, ") ? ", value, " : null"];
}

function emitFromRow(entity: Entity, f: GeneratedFile): void {
  const { desc, exports } = entity;
  const row = here(entity, "row", f);
  f.print(f.jsDoc(`Returns the message of type ${desc.name} that a row contains.\n\n@generated from ${desc}`));
  f.print(f.export("function", exports.fromRow), "(", row, ": ", exports.row, "): ", f.importShape(desc), " {");
  // protobuf-es loses the key __proto__ of these maps, and reads inherited properties as values.
  const isLossy =
    desc.members.some(({ localName }) => localName in Object.prototype) ||
    desc.fields.some((field) => field.fieldKind === "map" && (field.message ?? field.scalar === ScalarType.BYTES));
  const create = isLossy ? fromRuntime(f, "createMessage", "schema") : f.import("create", "@bufbuild/protobuf");
  f.print("  return ", create, "(", f.importSchema(desc), ", {");
  for (const member of desc.members) {
    f.print("    ", member.kind === "oneof" ? fromColumns(entity, member, row) : fromColumn(entity, member, row), ",");
  }
  f.print("  });");
  f.print("}");
}

function fromColumn(entity: Entity, field: DescField, row: Printable): Printable {
  const column = entity.columns.find(({ desc }) => desc === field);
  const value: Printable = [row, ".", field.localName];
  if (column?.emptyIsNull) return [field.localName, ": ", value, ' ?? ""'];
  return column?.nullable ? unlessNull(field, value) : [field.localName, ": ", value];
}

/** Returns the value of a oneof: the member whose column is not NULL. */
function fromColumns(entity: Entity, oneof: DescOneof, row: Printable): Printable {
  const cases = entity.columns
    .filter(({ desc }) => desc.oneof === oneof)
    .map((column): Printable => {
      const { localName } = column.desc;
      const value: Printable = [row, ".", localName];
      const held = isWrapper(column) ? ["{ value: ", value, " }"] : value;
      return ["\n      ", value, ` !== null ? { case: "${localName}", value: `, held, " } :"];
    });
  return [oneof.localName, ":", cases, " { case: undefined }"];
}

/** Returns whether a member of a oneof is a wrapper, which is not unwrapped there. */
function isWrapper({ desc, scalar }: Column): boolean {
  return desc.fieldKind === "message" && scalar !== undefined;
}

function unlessNull(field: DescField, value: Printable): Printable {
  if (mayBeUndefined(field)) return [field.localName, ": ", value, " ?? undefined"];
  return ["...(", value, " !== null && { ", field.localName, ": ", value, " })"];
}

/** Returns whether an unset field is undefined in TypeScript, rather than the field's default. */
function mayBeUndefined(field: DescField): boolean {
  return field.fieldKind === "message" || field.proto.proto3Optional;
}

function here(entity: Entity, name: string, f: GeneratedFile): Printable {
  return local(f, name, `${entity.file}_schema`);
}
