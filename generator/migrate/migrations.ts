import type { AnyDesc, DescMessage } from "@bufbuild/protobuf";
import type { Contract, Service } from "../contract/contract.js";
import type { Diagnostic } from "../contract/findings/diagnostic.js";
import { Findings } from "../contract/findings/findings.js";
import { processOwners } from "../contract/services/process.js";
import type { OutputFile } from "../output/output-file.js";
import type { Settings } from "../project/settings.js";
import { type Allowable, allowable, type Migration, type RefusedChange } from "./changes.js";
import { lostMigration, type MigrationFolder, print, readFolder } from "./folder.js";
import { emptySchema, planMigration } from "./plan.js";
import { type SchemaSnapshot, snapshotOf } from "./snapshot.js";
import { printSql } from "./statement.js";
import { withTombstones } from "./tombstones.js";

/** The migrations that a contract needs and that do not exist yet, and the findings about them. */
export interface Migrations {
  readonly files: readonly OutputFile[];
  /** What the files do. */
  readonly planned: readonly PlannedMigration[];
  readonly findings: readonly Diagnostic[];
}

export interface PlannedMigration extends Migration {
  readonly service: string;
  /** Relative to the project's root. */
  readonly path: string;
}

/** Compares the newest snapshot of each service's database with the contract. */
export async function planMigrations(
  settings: Pick<Settings, "root" | "services">,
  contract: Pick<Contract, "services">,
  allowed: readonly Allowable[] = [],
): Promise<Migrations> {
  const findings = new Findings();
  const next: NextMigration[] = [];
  const services = processOwners(contract.services);
  const folders = await Promise.all(
    services.map(({ name }) => readFolder(settings.root, `${settings.services}/${name}/migrations`)),
  );
  for (const [index, service] of services.entries()) {
    const folder = folders[index]!;
    if (service.entities.length === 0 && folder.migrations.length === 0) continue;
    next.push(nextMigration(service, folder, findings, allowed));
  }
  return {
    files: next.flatMap(({ files }) => files),
    planned: next.flatMap(({ planned }) => planned ?? []),
    findings: findings.all(),
  };
}

interface NextMigration {
  readonly files: readonly OutputFile[];
  readonly planned?: PlannedMigration;
}

const nothing: NextMigration = { files: [] };

/** Adds the migration that a service lacks. */
function nextMigration(
  service: Service,
  folder: MigrationFolder,
  findings: Findings,
  allowed: readonly Allowable[],
): NextMigration {
  for (const fault of folder.faults) findings.error("MIGRATION_FOLDER", service.desc, `${fault}.`);
  if (folder.faults.length > 0) return nothing;

  const next = compare(service, folder, findings, allowed);
  const { unfinished } = folder;
  // A schema without its migration must be planned now: later its origin is unknown.
  if (unfinished === undefined || next.files.some(isSnapshot(folder, unfinished))) return next;
  findings.error("MIGRATION_FOLDER", service.desc, `${lostMigration(folder.path, unfinished.name)}.`);
  return nothing;
}

function compare(
  service: Service,
  folder: MigrationFolder,
  findings: Findings,
  allowed: readonly Allowable[],
): NextMigration {
  const before = folder.recorded?.schema ?? emptySchema;
  const wanted = snapshotOf(service);
  const after = withTombstones(before, wanted);
  const planned = planMigration(before, wanted, allowed);
  const newest = folder.migrations.at(-1);
  // A migration without a snapshot was written by hand.
  const byHand = newest === folder.recorded?.name ? undefined : newest;

  if ("refusals" in planned) {
    // A handwritten migration is assumed to do everything, including what could not be planned. It cannot fix faults of the
    // contract itself.
    const wrong = planned.refusals.filter(({ rule }) => rule === "MIGRATION_NUMBER_REUSED");
    if (byHand !== undefined && wrong.length === 0) return { files: [snapshotFile(folder, byHand, after)] };
    refuse(service, folder, byHand === undefined ? planned.refusals : wrong, findings);
    return nothing;
  }
  // It changed rows only, so the schema stays the same.
  const caughtUp = byHand === undefined ? [] : [snapshotFile(folder, byHand, before)];
  if (planned.title === undefined) return { files: caughtUp };
  const name = numbered(folder, planned.title);
  const path = `${folder.path}/${name}.sql`;
  // The schema is written before its migration (files are written in the order of their names): a migration without a schema
  // counts as handwritten.
  const sql: OutputFile = { path, content: textOf(planned), owner: "user", recreate: true };
  return {
    files: [...caughtUp, sql, snapshotFile(folder, name, after)],
    planned: { ...planned, service: service.name, path },
  };
}

function textOf({ statements, outside }: Migration): string {
  const text = printSql(statements, outside);
  return text === "" ? "-- Only the contract has changed: there is nothing to do in the database.\n" : text;
}

function isSnapshot(folder: MigrationFolder, { name, schema }: { name: string; schema: SchemaSnapshot }) {
  const file = snapshotFile(folder, name, schema);
  return ({ path, content }: OutputFile) => path === file.path && content === file.content;
}

function snapshotFile(folder: MigrationFolder, name: string, schema: SchemaSnapshot): OutputFile {
  return { path: `${folder.path}/${name}.json`, content: print(schema), owner: "user", recreate: true };
}

function numbered(folder: MigrationFolder, title: string): string {
  const last = folder.migrations.at(-1)?.slice(0, 4) ?? "0";
  return `${String(Number(last) + 1).padStart(4, "0")}_${title.slice(0, 80)}`;
}

function refuse(
  service: Service,
  folder: MigrationFolder,
  refusals: readonly RefusedChange[],
  findings: Findings,
): void {
  // One handwritten migration may contain all of them, so all findings name the same file.
  const path = `${folder.path}/${numbered(folder, refusals[0]!.title)}.sql`;
  for (const refusal of refusals) {
    const text = [`${refusal.problem}.`, ...(refusal.steps ?? []), ...waysAround(refusal, path)].join("\n");
    findings.error(refusal.rule, placed(service, refusal.message, refusal.field), text);
  }
}

/** Returns how to make a refused change. */
function waysAround({ rule, statement }: RefusedChange, path: string): string[] {
  if (rule === "MIGRATION_NUMBER_REUSED") return [];
  const forThis = statement === undefined ? "an UPDATE of what is stored" : `${statement};`;
  if (allowable.some((id) => id === rule)) return [`Or do it at once: scaffold generate --allow ${rule} (${forThis})`];
  return [
    `Or write ${path} yourself, with everything that changed (for this: ${forThis}), and run scaffold generate again.`,
  ];
}

/** Returns the declaration that a refusal is about, or the nearest that still exists. */
function placed(service: Service, message: string, field: number | undefined): AnyDesc {
  const entities = service.entities.map((entity) => entity.desc);
  const desc = findMessage(entities, message, new Set());
  return desc?.fields.find(({ number }) => number === field) ?? desc ?? service.desc;
}

/** Finds a message by name among these messages and the nested ones. */
function findMessage(from: readonly DescMessage[], name: string, seen: Set<DescMessage>): DescMessage | undefined {
  for (const message of from) {
    if (message.typeName === name) return message;
    if (seen.has(message)) continue;
    seen.add(message);
    const held = message.fields.flatMap((field) => field.message ?? []);
    const found = findMessage(held, name, seen);
    if (found !== undefined) return found;
  }
  return undefined;
}
