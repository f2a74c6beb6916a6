import type { Changes } from "./changes.js";
import type { IndexSnapshot, TableSnapshot } from "./snapshot.js";
import { createIndex, createIndexConcurrently, dropIndexConcurrently, renameIndex } from "./sql.js";

/** Plans the indexes of a table. On a table in use they are built and dropped concurrently. */
export function planIndexes(old: TableSnapshot | undefined, table: TableSnapshot, changes: Changes): void {
  if (old === undefined) {
    for (const index of table.indexes) changes.plan("index", createIndex(table, index));
    return;
  }
  const gone = old.indexes.filter((index) => !table.indexes.some((candidate) => sameIndex(candidate, index)));
  const names = new Set(table.indexes.map(({ name }) => name));
  const drop = (index: IndexSnapshot) => changes.plan("outside", dropIndexConcurrently(index), `drop_${index.name}`);
  // A reused name must be free first. Other old indexes serve queries until the new ones do.
  gone.filter(({ name }) => names.has(name)).forEach(drop);
  for (const index of table.indexes) {
    const known = old.indexes.find((candidate) => sameIndex(candidate, index));
    if (known === undefined) {
      changes.plan("outside", createIndexConcurrently(table, index), `index_${table.name}`);
    } else if (known.name !== index.name) {
      changes.plan("rename", renameIndex(known, index));
    }
  }
  gone.filter(({ name }) => !names.has(name)).forEach(drop);
}

function sameIndex(a: IndexSnapshot, b: IndexSnapshot): boolean {
  return a.unique === b.unique && a.fields.join() === b.fields.join();
}
