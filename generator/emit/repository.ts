import type { GeneratedFile } from "@bufbuild/protoplugin";
import type { ContractFile, Entity } from "../contract/contract.js";
import { fromGenerated, fromRuntime, strings } from "./print.js";

/** `_repository`: an entity as handlers read and write it. */
export function emitRepository(file: ContractFile, f: GeneratedFile): void {
  for (const entity of file.entities) {
    const { desc, exports } = entity;
    const schema = f.importSchema(desc);
    f.print();
    f.print(f.jsDoc(`Reads and writes ${desc.name} messages, the rows of ${entity.table}.\n\n@generated from ${desc}`));
    f.print(
      f.export("type", exports.repository),
      " = ",
      fromRuntime(f, entity.deleteTime === undefined ? "Repository" : "SoftRepository", "data/repository", true),
      "<typeof ",
      schema,
      ">;",
    );
    f.print();
    f.print(
      f.jsDoc(
        `What the repository knows of ${desc.name}: its table, its key, and which fields are not the caller's to set.\n\n@generated from ${desc}`,
      ),
    );
    const row = fromGenerated(f, exports.row, file.path, "_schema", true);
    f.print(
      f.export("const", exports.entity),
      ": ",
      fromRuntime(f, "Entity", "data/entity", true),
      "<typeof ",
      schema,
      ", ",
      row,
      "> = {",
    );
    f.print("  schema: ", schema, ",");
    f.print("  table: ", fromGenerated(f, exports.table, file.path, "_schema"), ",");
    f.print("  key: ", f.string(entity.key.desc.localName), ",");
    if (entity.createTime !== undefined) f.print("  createTime: ", f.string(entity.createTime.localName), ",");
    if (entity.updateTime !== undefined) f.print("  updateTime: ", f.string(entity.updateTime.localName), ",");
    if (entity.deleteTime !== undefined) f.print("  deleteTime: ", f.string(entity.deleteTime.localName), ",");
    if (entity.etag !== undefined) f.print("  etag: ", f.string(entity.etag.localName), ",");
    f.print("  indexed: ", strings(indexed(entity)), ",");
    f.print("  constraints: {", constraints(entity), "},");
    f.print("  outputOnly: ", strings(entity.outputOnly.map((field) => field.localName)), ",");
    f.print("  immutable: ", strings(entity.immutable.map((field) => field.localName)), ",");
    f.print("  toRow: ", fromGenerated(f, exports.toRow, file.path, "_schema"), ",");
    f.print("  fromRow: ", fromGenerated(f, exports.fromRow, file.path, "_schema"), ",");
    f.print("};");
  }
}

/** The fields that a list may be filtered and ordered by: an index finds them. */
function indexed({ desc, key, indexes }: Entity): string[] {
  const covered = new Set([key.desc, ...indexes.flatMap((index) => index.columns.map((column) => column.desc))]);
  return desc.fields.filter((field) => covered.has(field)).map((field) => field.localName);
}

/** In which fields a violation is to be seen. */
function constraints({ checks, references }: Entity): string {
  const named = [...references.map(({ name, column }) => ({ name, columns: [column] })), ...checks].map(
    ({ name, columns }) => `\n    ${name}: ${strings(columns.map((column) => column.desc.name))},`,
  );
  return named.length === 0 ? "" : `${named.join("")}\n  `;
}
