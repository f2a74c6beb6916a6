import type { GeneratedFile, Printable } from "@bufbuild/protoplugin";
import type { Check, Column, ContractFile, Entity, Index, Reference } from "../contract/contract.js";
import { entryOf } from "../contract/entities/column-types.js";
import { zeroOf } from "../contract/entities/zero.js";
import { isOwnMessage } from "./field-type.js";
import { doc, fromGenerated, fromRuntime } from "./print.js";
import { emitRow } from "./row.js";

const drizzle = "drizzle-orm/pg-core";

/** Emits `_schema`: the table of an entity, and the conversion of its rows (see row.ts). */
export function emitSchema(file: ContractFile, f: GeneratedFile): void {
  for (const entity of file.entities) {
    f.print();
    emitTable(entity, f);
    f.print();
    emitRow(entity, f);
  }
}

function emitTable(entity: Entity, f: GeneratedFile): void {
  f.print(doc(f, entity.desc));
  const extras = [
    ...entity.indexes.map((index) => indexOf(index, f)),
    ...entity.references.map((reference) => referenceOf(entity, reference, f)),
    ...entity.checks.map((check) => checkOf(check, f)),
  ];
  const open = extras.length === 0 ? "(" : "(\n  ";
  const indent = extras.length === 0 ? "" : "  ";
  f.print(
    f.export("const", entity.exports.table),
    " = ",
    f.import("pgTable", drizzle),
    open,
    f.string(entity.table),
    extras.length === 0 ? ", {" : ",\n  {",
  );
  for (const column of entity.columns) {
    f.print(indent, "  ", column.desc.localName, ": ", builder(entity, column, f), constraints(entity, column), ",");
  }
  if (extras.length === 0) {
    f.print("});");
    return;
  }
  f.print("  },");
  f.print("  (table) => [");
  for (const extra of extras) f.print("    ", extra, ",");
  f.print("  ],");
  f.print(");");
}

function indexOf(index: Index, f: GeneratedFile): Printable {
  const columns = index.columns.map((column) => `table.${column.desc.localName}`).join(", ");
  return [f.import(index.unique ? "uniqueIndex" : "index", drizzle), "(", f.string(index.name), ").on(", columns, ")"];
}

/** Tables may refer to each other in a cycle, so the column's type is explicit. */
function referenceOf(entity: Entity, { name, column, target }: Reference, f: GeneratedFile): Printable {
  const other =
    target === entity
      ? ["table.", target.key.desc.localName]
      : [fromGenerated(f, target.exports.table, target.file, "_schema"), ".", target.key.desc.localName];
  const own = `table.${column.desc.localName}`;
  const type = f.import("AnyPgColumn", drizzle, true);
  return [fromRuntime(f, "reference", "schema"), "(", f.string(name), `, ${own}, (): `, type, " => ", other, ")"];
}

function checkOf({ name, sql }: Check, f: GeneratedFile): Printable {
  const pieces = sql.map((piece) =>
    typeof piece === "string" ? piece.replace(/[\\`]|\$\{/g, "\\$&") : `\${table.${piece.desc.localName}}`,
  );
  return [f.import("check", drizzle), "(", f.string(name), ", ", f.import("sql", "drizzle-orm"), "`", pieces, "`)"];
}

/** Returns the column's builder, with the arguments of its type. */
function builder(entity: Entity, column: Column, f: GeneratedFile): Printable {
  const { desc, name } = column;
  const own = (symbol: string, ...rest: Printable[]): Printable => [
    fromRuntime(f, symbol, "schema"),
    "(",
    f.string(name),
    ...rest,
    ")",
  ];
  const known = entryOf(column).builder;
  if (known?.of === "runtime") return own(known.name);
  if (known !== undefined) {
    const options = known.options === undefined ? "" : `, ${known.options}`;
    const call: Printable = [f.import(known.name, drizzle), "(", f.string(name), options, ")"];
    return desc.fieldKind === "enum" ? [call, ".$type<", f.importShape(desc.enum), ">()"] : call;
  }
  if (isOwnMessage(desc)) {
    return own(desc.fieldKind === "list" ? "messagesColumn" : "messageColumn", ", ", f.importSchema(desc.message));
  }
  if (desc.fieldKind === "message") return own("struct");
  return own("jsonColumn", ", ", f.importSchema(entity.desc), ", ", f.string(desc.localName));
}

/** A list, map or text without presence is never NULL. Its default lets an older process insert after a newer one has migrated. */
function constraints(entity: Entity, column: Column): string {
  if (column === entity.key) return ".primaryKey()";
  return column.nullable ? "" : `.notNull().default(${zeroOf(column)?.typeScript})`;
}
