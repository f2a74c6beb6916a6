import type { Changes } from "./changes.js";
import type { CheckSnapshot, ReferenceSnapshot, SchemaSnapshot, TableSnapshot } from "./snapshot.js";
import {
  addCheck,
  addReference,
  dropConstraint,
  referenceNewTable,
  renameConstraint,
  validateConstraint,
} from "./sql.js";
import { addCheckLater } from "./steps.js";
import { predecessor } from "./tombstones.js";

/**
 * Plans a table's constraints. A changed constraint is dropped and added; a renamed one is renamed. New constraints apply to
 * new rows at once, and are validated for existing rows while the table is in use.
 */
export function planConstraints(
  old: TableSnapshot | undefined,
  table: TableSnapshot,
  before: SchemaSnapshot,
  after: SchemaSnapshot,
  changes: Changes,
): void {
  const references = table.references ?? [];
  if (old === undefined) {
    // CREATE TABLE contains its checks.
    for (const reference of references) changes.plan("constrain", referenceNewTable(table, reference, after));
    return;
  }
  const sameTarget = (one: ReferenceSnapshot, other: ReferenceSnapshot) =>
    one.field === other.field && one.message === formerName(other.message, before, after);
  // The database parses an expression with the types that its columns have when it is added.
  const sameCheck = (one: CheckSnapshot, other: CheckSnapshot) => textOf(old, one) === textOf(table, other);
  const checks = pair(old.checks ?? [], table.checks ?? [], sameCheck);
  const targets = pair(old.references ?? [], references, sameTarget);
  const known = [...(old.checks ?? []), ...(old.references ?? [])];
  for (const { name } of [...checks.gone, ...targets.gone]) {
    changes.plan("release", dropConstraint(old, name), `drop_${name}`);
  }
  for (const [was, now] of [...checks.kept, ...targets.kept]) {
    if (was.name === now.name) continue;
    const free = !known.some(({ name }) => name === now.name);
    if (free) changes.plan("release", renameConstraint(old, was.name, now.name));
    // Another constraint has had its new name until now. Rows that satisfied the old one satisfy the new one.
    else replace(old, table, was, now, after, changes);
  }
  for (const check of checks.added) planCheck(old, table, check, changes);
  for (const reference of targets.added) {
    changes.plan("constrain", addReference(table, reference, after), `reference_${table.name}`);
    changes.plan("outside", validateConstraint(table, reference.name));
  }
}

/** Drops the foreign keys of a dropped table, so that tables can be dropped in any order. */
export function releaseTable(old: TableSnapshot, changes: Changes): void {
  for (const { name, message } of old.references ?? []) {
    if (message !== old.message) changes.plan("release", dropConstraint(old, name));
  }
}

function planCheck(old: TableSnapshot, table: TableSnapshot, check: CheckSnapshot, changes: Changes): void {
  const title = `check_${table.name}`;
  const fields = check.sql.filter((piece) => typeof piece === "number");
  const added = table.columns.find(
    ({ field }) => fields.includes(field) && !old.columns.some((column) => column.field === field),
  );
  // The default value violates the rule, and so do existing rows and rows that older processes add.
  const planned =
    added === undefined ||
    !check.refusesDefault ||
    changes.allows({
      rule: "MIGRATION_BREAKS_OLD",
      message: table.message,
      field: added.field,
      problem: `${added.name} is new, and its rule ${check.name} refuses rows without it: those that exist, and those that processes of the version before add. Make it optional, or begin without the rule`,
      steps: addCheckLater(table, added),
      statement: addCheck(table, check).sql,
      title,
    });
  if (!planned) return;
  changes.plan("constrain", addCheck(table, check), title);
  changes.plan("outside", validateConstraint(table, check.name));
}

function replace(
  old: TableSnapshot,
  table: TableSnapshot,
  was: CheckSnapshot | ReferenceSnapshot,
  now: CheckSnapshot | ReferenceSnapshot,
  after: SchemaSnapshot,
  changes: Changes,
): void {
  changes.plan("release", dropConstraint(old, was.name));
  changes.plan("constrain", "sql" in now ? addCheck(table, now) : addReference(table, now, after));
  changes.plan("outside", validateConstraint(table, now.name));
}

/** Pairs the constraints that are the same before and after. */
function pair<T>(old: readonly T[], now: readonly T[], same: (was: T, is: T) => boolean) {
  const kept = now.flatMap((one) => {
    const was = old.find((candidate) => same(candidate, one));
    return was === undefined ? [] : [[was, one] as const];
  });
  return {
    kept,
    added: now.filter((one) => !kept.some(([, is]) => is === one)),
    gone: old.filter((one) => !kept.some(([was]) => was === one)),
  };
}

function textOf({ columns }: TableSnapshot, { sql }: CheckSnapshot): string {
  const typed = (number: number) => [number, columns.find(({ field }) => field === number)?.type];
  return JSON.stringify(sql.map((piece) => (typeof piece === "number" ? typed(piece) : piece)));
}

/** Returns the former name of a message that is an entity now. */
function formerName(message: string, before: SchemaSnapshot, after: SchemaSnapshot): string | undefined {
  const table = after.tables.find((candidate) => candidate.message === message);
  return table && predecessor(before, table)?.message;
}
