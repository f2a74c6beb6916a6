import type { GeneratedFile, Printable } from "@bufbuild/protoplugin";
import type { ContractFile, Entity, Index } from "../contract/contract.js";
import { fromGenerated, fromRuntime, local, strings } from "./print.js";

/** Emits `_repository`: the repository of an entity. */
export function emitRepository(file: ContractFile, f: GeneratedFile): void {
  for (const entity of file.entities) {
    const { desc, exports } = entity;
    const schema = f.importSchema(desc);
    f.print();
    f.print(f.jsDoc(`Reads and writes ${desc.name} messages, the rows of ${entity.table}.\n\n@generated from ${desc}`));
    f.print(
      f.export("type", exports.repository),
      " = ",
      fromRuntime(f, entity.deleteTime === undefined ? "Repository" : "SoftRepository", "repository", true),
      "<typeof ",
      schema,
      ...uniqueKeys(entity, file, f),
      ">;",
    );
    f.print();
    f.print(
      f.jsDoc(
        `The specification of ${desc.name}'s repository: its table, its key, and the fields that callers cannot set.\n\n@generated from ${desc}`,
      ),
    );
    const row = fromGenerated(f, exports.row, file.path, "_schema", true);
    f.print(
      f.export("const", exports.entity),
      ": ",
      fromRuntime(f, "Entity", "repository", true),
      "<typeof ",
      schema,
      ", ",
      row,
      "> = {",
    );
    f.print("  schema: ", schema, ",");
    f.print("  table: ", fromGenerated(f, exports.table, file.path, "_schema"), ...asTable(entity, f), ",");
    f.print("  key: ", f.string(entity.key.desc.localName), ",");
    if (entity.createTime !== undefined) f.print("  createTime: ", f.string(entity.createTime.localName), ",");
    if (entity.updateTime !== undefined) f.print("  updateTime: ", f.string(entity.updateTime.localName), ",");
    if (entity.deleteTime !== undefined) f.print("  deleteTime: ", f.string(entity.deleteTime.localName), ",");
    if (entity.etag !== undefined) f.print("  etag: ", f.string(entity.etag.localName), ",");
    const unique = entity.indexes.filter((index) => index.unique);
    if (unique.length > 0) f.print("  unique: [", unique.map((index) => strings(names(index))).join(", "), "],");
    f.print("  indexed: ", strings(indexed(entity)), ",");
    f.print("  constraints: {", constraints(entity), "},");
    f.print("  outputOnly: ", strings(entity.outputOnly.map((field) => field.localName)), ",");
    f.print("  immutable: ", strings(entity.immutable.map((field) => field.localName)), ",");
    f.print("  toRow: ", fromGenerated(f, exports.toRow, file.path, "_schema"), ",");
    f.print("  fromRow: ", fromGenerated(f, exports.fromRow, file.path, "_schema"), ",");
    f.print("};");
  }
}

/** The most columns that TypeScript compares with those of any table (TS2589 beyond): it manages 1,300, in a second. */
const mostCompared = 1000;

/** Casts the table of an entity with very many fields, so that its columns are not compared. */
function asTable({ columns }: Entity, f: GeneratedFile): Printable[] {
  if (columns.length <= mostCompared) return [];
  return [" as unknown as ", f.import("PgTable", "drizzle-orm/pg-core", true)];
}

/** Returns the type of a row's alternative keys: `string, Pick<OrderRow, "customerId" | "slot">`. */
function uniqueKeys({ indexes, exports }: Entity, file: ContractFile, f: GeneratedFile): Printable[] {
  const unique = indexes.filter((index) => index.unique);
  if (unique.length === 0) return [];
  const row = fromGenerated(f, exports.row, file.path, "_schema", true);
  const keys = unique.map((index): Printable => {
    const fields = names(index).map((name) => `"${name}"`);
    return [local(f, "Pick", `${file.path}_repository`), "<", row, ", ", fields.join(" | "), ">"];
  });
  return [", string, ", ...keys.flatMap((key, at) => (at === 0 ? [key] : [" | ", key]))];
}

function names({ columns }: Index): string[] {
  return columns.map(({ desc }) => desc.localName);
}

/** Returns the fields by which a list may be filtered and ordered: an index has them. */
function indexed({ desc, key, indexes }: Entity): string[] {
  const covered = new Set([key.desc, ...indexes.flatMap((index) => index.columns.map((column) => column.desc))]);
  return desc.fields.filter((field) => covered.has(field)).map((field) => field.localName);
}

/** Returns the fields that a violated constraint is about. */
function constraints({ checks, references }: Entity): string {
  const named = [...references.map(({ name, column }) => ({ name, columns: [column] })), ...checks].map(
    ({ name, columns }) => `\n    ${name}: ${strings(columns.map((column) => column.desc.name))},`,
  );
  return named.length === 0 ? "" : `${named.join("")}\n  `;
}
