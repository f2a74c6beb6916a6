import type { ColumnSnapshot, TableSnapshot } from "./snapshot.js";
import { quoted } from "./sql.js";

/** The steps to a field of another type, each compatible with the previous version. */
export function replaceField(table: TableSnapshot, from: ColumnSnapshot, to: ColumnSnapshot): string[] {
  const free = Math.max(...[...table.columns, ...(table.dropped ?? [])].map(({ field }) => field)) + 1;
  const added = `${from.name}_${free}`;
  const cast = from.type === to.type ? "" : `::${to.type}`;
  const copy =
    from.json !== undefined || to.json !== undefined
      ? `an UPDATE of ${quoted(table.name)} that makes ${quoted(added)} of ${quoted(from.name)}`
      : `UPDATE ${quoted(table.name)} SET ${quoted(added)} = ${quoted(from.name)}${cast} WHERE ${quoted(from.name)} IS NOT NULL;`;
  return [
    `expand: let ${from.name} be as it was, and add ${added} = ${free} as you want it. scaffold generate. Release what writes both and reads ${from.name}.`,
    `backfill: put this into the next migration, and release what reads ${added}: ${copy}`,
    ...dropField(from),
  ];
}

/** The steps to a new field that every row must have. */
export function addCheckLater(table: TableSnapshot, { name }: Pick<ColumnSnapshot, "name">): string[] {
  return [
    `expand: add ${name} with (buf.validate.field).ignore = IGNORE_ALWAYS. scaffold generate. Release what sets it.`,
    `backfill: put an UPDATE of ${quoted(table.name)} that sets ${quoted(name)} into the next migration.`,
    `contract: remove ignore. scaffold generate, and release.`,
  ];
}

/** The steps to remove a field. */
export function dropField({ field, name }: Pick<ColumnSnapshot, "field" | "name">): string[] {
  return [
    `contract: mark ${name} deprecated, and release what neither reads nor writes it. Then put reserved ${field}; reserved "${name}"; in its place, and scaffold generate --allow MIGRATION_LOSES_DATA.`,
  ];
}

/** The steps to remove an entity. */
export function dropEntity(message: string): string[] {
  return [
    `contract: release what neither reads nor writes ${message}. Then take it out of the service's entities, and scaffold generate --allow MIGRATION_LOSES_DATA.`,
  ];
}
