import { Code, ConnectError } from "@connectrpc/connect";
import { type SQL, sql } from "drizzle-orm";
import type { Database } from "../data/driver.js";
import { translated } from "../data/errors.js";

/** How far a saga has come. */
export type SagaPhase = "running" | "compensating" | "completed" | "compensated";

/** A saga as its row has it, taken on a lease. */
export interface SagaRow {
  readonly id: string;
  /** The full name of the method that started it. */
  readonly saga: string;
  readonly state: "running" | "compensating";
  readonly input: Uint8Array;
  /** The steps that were begun, and the request of each. */
  readonly steps: readonly string[];
  readonly requests: readonly Uint8Array[];
  /** The answers of those that were answered. */
  readonly answers: readonly Uint8Array[];
  /** How many of the steps are undone, from the last on. */
  readonly undone: number;
  /** How many attempts of the step at hand have failed. */
  readonly attempts: number;
  /** Why the last attempt of it has failed. */
  readonly error: string | null;
  readonly reason: string | null;
  readonly trace: Readonly<Record<string, string>> | null;
  /** Whose lease it is; who writes with an older one changes nothing. */
  readonly epoch: number;
  /** How long it may still go forward, in milliseconds; 0 and less: no longer. */
  readonly leftMs: number;
}

/** A saga that is to begin. */
export interface NewSaga {
  readonly id: string;
  readonly saga: string;
  readonly input: Uint8Array;
  readonly step: string;
  readonly request: Uint8Array;
  readonly trace: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  /** How long it belongs to whoever starts it; 0: whoever comes first takes it. */
  readonly leaseMs: number;
}

/** What the unfinished sagas of a database are up to. */
export interface SagaCounts {
  readonly running: number;
  readonly compensating: number;
  readonly stuck: number;
}

/** After so many failures of one compensation, the saga is shown as stuck. It is tried again all the same. */
export const STUCK_AFTER = 10;

/** Somebody else has the saga now, or has ended it. */
export class LeaseLost extends Error {
  override readonly name = "LeaseLost";
}

const after = (ms: number): SQL => sql`now() + ${Math.max(0, Math.ceil(ms))} * interval '1 millisecond'`;

const columns = sql.raw(
  `"id", "saga", "state", "input", "steps", "requests", "answers", "undone", "attempts", "error", "reason", "trace", "epoch", ` +
    `(extract(epoch from "deadline" - now()) * 1000)::float8 AS "leftMs"`,
);

/** Begins a saga, in the transaction of `db`. */
export async function insert(db: Database, saga: NewSaga): Promise<void> {
  await translated(() =>
    db.execute(sql`
      INSERT INTO "scaffold_sagas" ("id", "saga", "state", "input", "steps", "requests", "trace", "due_at", "deadline")
      VALUES (${saga.id}, ${saga.saga}, 'running', ${buffer(saga.input)}, ARRAY[${saga.step}]::text[],
        ARRAY[${buffer(saga.request)}]::bytea[], ${JSON.stringify(saga.trace)}::jsonb, ${after(saga.leaseMs)},
        ${after(saga.timeoutMs)})`),
  );
}

/** Takes sagas on a lease that nobody works at, those first that have waited longest. */
export async function claim(
  db: Database,
  names: readonly string[],
  limit: number,
  leaseMs: number,
): Promise<SagaRow[]> {
  const { rows } = await db.execute(sql`
    UPDATE "scaffold_sagas" SET "epoch" = "epoch" + 1, "due_at" = ${after(leaseMs)} WHERE "id" IN (
      SELECT "id" FROM "scaffold_sagas" WHERE "ended_at" IS NULL AND "due_at" <= now() AND "saga" IN ${names}
      ORDER BY "due_at" LIMIT ${limit} FOR UPDATE SKIP LOCKED
    ) RETURNING ${columns}`);
  return rows as unknown as SagaRow[];
}

/** Makes leases longer; those that are lost stay lost. */
export async function renew(db: Database, leases: readonly Lease[], leaseMs: number): Promise<void> {
  const held = sql.join(
    leases.map(({ id, epoch }) => sql`(${id}, ${epoch}::integer)`),
    sql`, `,
  );
  await db.execute(
    sql`UPDATE "scaffold_sagas" SET "due_at" = ${after(leaseMs)} WHERE ("id", "epoch") IN (${held}) AND "ended_at" IS NULL`,
  );
}

/** Which saga, and whose. */
export interface Lease {
  readonly id: string;
  readonly epoch: number;
}

/** What is to be written of a saga, all of it or nothing. */
export interface SagaChange {
  readonly state?: SagaPhase;
  /** Why it is undone. */
  readonly reason?: string;
  /** What the step at hand has answered. */
  readonly answer?: Uint8Array;
  /** The step that begins, and its request. */
  readonly next?: { readonly step: string; readonly request: Uint8Array };
  /** Another step is undone. */
  readonly undone?: boolean;
  /** Why the attempt failed. Absent: it did not, and attempts are counted anew. */
  readonly error?: string;
  /** When somebody may take it on a lease: how long from now, in milliseconds. */
  readonly dueInMs: number;
}

/**
 * Writes down how a saga goes on.
 *
 * @throws LeaseLost if somebody else has it
 */
export async function write(db: Database, { id, epoch }: Lease, change: SagaChange): Promise<void> {
  const { state, reason, answer, next, undone, error, dueInMs } = change;
  const isEnd = state === "completed" || state === "compensated";
  const sets = [
    sql`"due_at" = ${after(dueInMs)}, "updated_at" = now()`,
    error === undefined
      ? sql`"attempts" = 0, "error" = NULL`
      : sql`"attempts" = ${state === undefined ? sql`"attempts" + 1` : 0}, "error" = ${error}`,
    ...(state === undefined ? [] : [sql`"state" = ${state}`]),
    ...(reason === undefined ? [] : [sql`"reason" = ${reason}`]),
    ...(answer === undefined ? [] : [sql`"answers" = array_append("answers", ${buffer(answer)})`]),
    ...(next === undefined
      ? []
      : [
          sql`"steps" = array_append("steps", ${next.step}), "requests" = array_append("requests", ${buffer(next.request)})`,
        ]),
    ...(undone ? [sql`"undone" = "undone" + 1`] : []),
    ...(isEnd ? [sql`"ended_at" = now()`] : []),
  ];
  const { rowCount } = await db.execute(
    sql`UPDATE "scaffold_sagas" SET ${sql.join(sets, sql`, `)} WHERE "id" = ${id} AND "epoch" = ${epoch} AND "ended_at" IS NULL`,
  );
  if (rowCount !== 1) throw new LeaseLost(id);
}

/** Has a saga undone whatever has become of it, and whoever works at it. False: it is, or is being, already. */
export async function turnBack(db: Database, id: string, reason: string): Promise<boolean> {
  const { rowCount } = await db.execute(sql`
    UPDATE "scaffold_sagas" SET "state" = 'compensating', "reason" = ${reason}, "attempts" = 0, "error" = NULL,
      "epoch" = "epoch" + 1, "due_at" = now(), "updated_at" = now(), "ended_at" = NULL
    WHERE "id" = ${id} AND "state" IN ('running', 'completed')`);
  if (rowCount === 0 && (await phase(db, id)) === undefined) {
    throw new ConnectError(`there is no saga ${JSON.stringify(id)}`, Code.NotFound);
  }
  return rowCount === 1;
}

/** How far a saga has come; undefined if there is none. */
export async function phase(db: Database, id: string): Promise<SagaPhase | undefined> {
  const { rows } = await db.execute(sql`SELECT "state" FROM "scaffold_sagas" WHERE "id" = ${id}`);
  return (rows[0] as { state: SagaPhase } | undefined)?.state;
}

/** How many sagas have not ended. */
export async function counts(db: Database): Promise<SagaCounts> {
  const { rows } = await db.execute(sql`
    SELECT count(*) FILTER (WHERE "state" = 'running')::integer AS "running",
      count(*) FILTER (WHERE "state" = 'compensating')::integer AS "compensating",
      count(*) FILTER (WHERE "attempts" >= ${STUCK_AFTER})::integer AS "stuck"
    FROM "scaffold_sagas" WHERE "ended_at" IS NULL`);
  return rows[0] as unknown as SagaCounts;
}

function buffer({ buffer: memory, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(memory, byteOffset, byteLength);
}
