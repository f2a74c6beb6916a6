import type { DescField } from "@bufbuild/protobuf";
import type { GeneratedFile, Printable } from "@bufbuild/protoplugin";
import type { Column, Entity } from "../contract/contract.js";
import { identifier } from "../contract/identifier.js";
import { lowerFirst } from "../contract/names.js";
import { isOwnMessage, isWide } from "./field-type.js";
import { local } from "./print.js";

/** A row's type, and the functions that turn a message into one and back. */
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

/** A field's type in its message, never undefined. */
function typeOf(entity: Entity, { desc, type, nullable }: Column, f: GeneratedFile): Printable {
  switch (type.sql) {
    case "integer":
      return "enum" in type ? f.importShape(type.enum) : "number";
    case "text":
      return "string";
    case "boolean":
      return "boolean";
    case "bytea":
      return "Uint8Array";
    case "real":
    case "double precision":
      return "number";
    case "bigint":
      return isWide(desc) ? "bigint" : "number";
    case "numeric":
      return "bigint";
    case "timestamptz":
      return f.import("Timestamp", "@bufbuild/protobuf/wkt", true);
    case "jsonb": {
      if (isOwnMessage(desc)) return [f.importShape(desc.message), desc.fieldKind === "list" ? "[]" : ""];
      const inMessage = [f.importShape(entity.desc), `["${desc.localName}"]`];
      return nullable ? [here(entity, "NonNullable", f), "<", inMessage, ">"] : inMessage;
    }
  }
}

function emitToRow(entity: Entity, f: GeneratedFile): void {
  const { desc, exports } = entity;
  const parameter = identifier(lowerFirst(desc.name));
  const message = here(entity, parameter, f);
  f.print(f.jsDoc(`The row that keeps this ${desc.name}.\n\n@generated from ${desc}`));
  f.print(f.export("function", exports.toRow), "(", message, ": ", f.importShape(desc), "): ", exports.row, " {");
  f.print("  return {");
  for (const { desc: field, nullable } of entity.columns) {
    const value: Printable = [message, ".", field.localName];
    f.print("    ", field.localName, ": ", nullable ? orNull(entity, field, message, value, f) : value, ",");
  }
  f.print("  };");
  f.print("}");
}

/** What is not set is NULL. With proto2 and editions, a scalar that is not set reads as its default. */
function orNull(entity: Entity, field: DescField, message: Printable, value: Printable, f: GeneratedFile): Printable {
  if (mayBeUndefined(field)) return [value, " ?? null"];
  const descriptor: Printable = [f.importSchema(entity.desc), ".field.", field.localName];
  return [f.import("isFieldSet", "@bufbuild/protobuf"), "(", message, ", ", descriptor, ") ? ", value, " : null"];
}

function emitFromRow(entity: Entity, f: GeneratedFile): void {
  const { desc, exports } = entity;
  const row = here(entity, "row", f);
  f.print(f.jsDoc(`The ${desc.name} that a row keeps.\n\n@generated from ${desc}`));
  f.print(f.export("function", exports.fromRow), "(", row, ": ", exports.row, "): ", f.importShape(desc), " {");
  f.print("  return ", f.import("create", "@bufbuild/protobuf"), "(", f.importSchema(desc), ", {");
  for (const { desc: field, nullable } of entity.columns) {
    const value: Printable = [row, ".", field.localName];
    f.print("    ", nullable ? unlessNull(field, value) : [field.localName, ": ", value], ",");
  }
  f.print("  });");
  f.print("}");
}

function unlessNull(field: DescField, value: Printable): Printable {
  if (mayBeUndefined(field)) return [field.localName, ": ", value, " ?? undefined"];
  return ["...(", value, " !== null && { ", field.localName, ": ", value, " })"];
}

/** Whether TypeScript has undefined for a field that is not set. It has not where that reads as the field's default. */
function mayBeUndefined(field: DescField): boolean {
  return field.fieldKind === "message" || field.proto.proto3Optional;
}

function here(entity: Entity, name: string, f: GeneratedFile): Printable {
  return local(f, name, `${entity.file}_schema`);
}
