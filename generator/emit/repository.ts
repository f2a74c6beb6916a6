import type { GeneratedFile } from "@bufbuild/protoplugin";
import type { ContractFile } from "../contract/contract.js";
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
      fromRuntime(f, "Repository", "data/repository", true),
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
    f.print("  outputOnly: ", strings(entity.outputOnly.map((field) => field.localName)), ",");
    f.print("  immutable: ", strings(entity.immutable.map((field) => field.localName)), ",");
    f.print("  toRow: ", fromGenerated(f, exports.toRow, file.path, "_schema"), ",");
    f.print("  fromRow: ", fromGenerated(f, exports.fromRow, file.path, "_schema"), ",");
    f.print("};");
  }
}
