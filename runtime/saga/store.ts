import { type SQL, sql } from "drizzle-orm";
import type { Database } from "../data/postgres/driver.js";
import { translated } from "../data/postgres/errors.js";
import { plainText } from "../data/postgres/plain-text.js";
import { errorFor } from "../errors/error.js";

/** How far a saga has come. */
export type SagaPhase = "running" | "compensating" | "completed" | "compensated";

/** A saga as its row has it, under a lease. */
export interface SagaRow {
  readonly id: string;
  /** The full name of the method that started it. */
  readonly saga: string;
  readonly state: "running" | "compensating";
  readonly input: Uint8Array;
  /** The steps that were begun, and their requests. */
  readonly steps: readonly string[];
  readonly requests: readonly Uint8Array[];
  /** The methods that each of them calls and is compensated by, by full name. Absent or null: the row does not say. */
  readonly calls: readonly (string | null)[];
  readonly compensations: readonly (string | null)[];
  /** The answers, of the steps that have one. */
  readonly answers: readonly Uint8Array[];
  /** The number of compensated steps, from the last on. */
  readonly undone: number;
  /** The number of failed attempts at the current step. */
  readonly attempts: number;
  /** Why the last attempt failed. */
  readonly error: string | null;
  /** Whether the last attempt was refused for good: the same request gets the same answer. */
  readonly refused: boolean;
  /** Why the version of the contract that saw the saga last cannot go on with it. */
  readonly incompatibility: string | null;
  readonly reason: string | null;
  readonly trace: Readonly<Record<string, string>> | null;
  /** The number of the lease. A write under an older lease changes nothing. */
  readonly epoch: number;
  /** The time left to go forward, in milliseconds. At 0 and below, the saga is compensated. */
  readonly leftMs: number;
}

/** A step that begins. */
export interface NewStep {
  readonly step: string;
  readonly request: Uint8Array;
  /** The methods that it calls and is compensated by, by full name. */
  readonly call: string;
  readonly compensation: string;
}

/** A saga that begins, with its first step. */
export interface NewSaga extends NewStep {
  readonly id: string;
  readonly saga: string;
  readonly input: Uint8Array;
  readonly trace: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  /** The lease of the process that starts it. 0: any process may claim it at once. */
  readonly leaseMs: number;
}

/** The numbers of sagas that have not ended. */
export interface SagaCounts {
  readonly running: number;
  readonly compensating: number;
  readonly stuck: number;
}

/** The number of failures of one step or compensation after which a saga is shown as stuck. It is retried all the same. */
export const STUCK_AFTER = 10;

/** Whether a person should look at a saga that has not ended, in SQL. */
export const STUCK = `("attempts" >= ${STUCK_AFTER} OR "refused" OR "misfit" IS NOT NULL)`;

/** Another executor has the saga now, or has ended it. */
export class LeaseLost extends Error {
  override readonly name = "LeaseLost";
}

const after = (ms: number): SQL => sql`now() + ${Math.max(0, Math.ceil(ms))} * interval '1 millisecond'`;

const columns = sql.raw(
  `"id", "saga", "state", "input", "steps", "requests", "answers", "calls", "compensations", "undone", "attempts", ` +
    `"error", "refused", "misfit" AS "incompatibility", "reason", "trace", "epoch", ` +
    `(extract(epoch from "deadline" - now()) * 1000)::float8 AS "leftMs"`,
);

/** Returns the row that `insert` writes of a saga. */
export function newRow(saga: NewSaga): SagaRow {
  return {
    id: saga.id,
    saga: saga.saga,
    state: "running",
    input: saga.input,
    steps: [saga.step],
    requests: [saga.request],
    calls: [saga.call],
    compensations: [saga.compensation],
    answers: [],
    undone: 0,
    attempts: 0,
    error: null,
    refused: false,
    incompatibility: null,
    reason: null,
    trace: saga.trace,
    epoch: 1,
    leftMs: saga.timeoutMs,
  };
}

/** Begins a saga, in the transaction of `db`. */
export async function insert(db: Database, saga: NewSaga): Promise<void> {
  await translated(() =>
    db.execute(sql`
      INSERT INTO "scaffold_sagas"
        ("id", "saga", "state", "input", "steps", "requests", "calls", "compensations", "trace", "due_at", "deadline")
      VALUES (${saga.id}, ${saga.saga}, 'running', ${buffer(saga.input)}, ARRAY[${saga.step}]::text[],
        ARRAY[${buffer(saga.request)}]::bytea[], ARRAY[${saga.call}]::text[], ARRAY[${saga.compensation}]::text[], ${JSON.stringify(saga.trace)}::jsonb, ${after(saga.leaseMs)},
        ${after(saga.timeoutMs)})`),
  );
}

/** Takes leases of sagas that are due, the longest waiting first. */
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

/** Extends leases from now on. Lost leases stay lost. */
export async function renew(db: Database, leases: readonly Lease[], leaseMs: number): Promise<void> {
  const held = sql.join(
    leases.map(({ id, epoch }) => sql`(${id}, ${epoch}::integer)`),
    sql`, `,
  );
  await db.execute(
    sql`UPDATE "scaffold_sagas" SET "due_at" = ${after(leaseMs)} WHERE ("id", "epoch") IN (${held}) AND "ended_at" IS NULL`,
  );
}

/** The lease of a saga. */
export interface Lease {
  readonly id: string;
  readonly epoch: number;
}

/** What changes in a saga's row with one step. */
export interface SagaChange {
  readonly state?: SagaPhase;
  /** Why it is compensated. */
  readonly reason?: string;
  /** The answer of the current step. */
  readonly answer?: Uint8Array;
  /** The step that begins. */
  readonly next?: NewStep;
  /** Whether one more step is compensated. */
  readonly undone?: boolean;
  /** Why the attempt failed. Absent: it succeeded, and the count of attempts starts again. */
  readonly error?: string;
  /** Whether the attempt was refused for good. Default: no. */
  readonly refused?: boolean;
  /** Why this version of the contract cannot go on with it. Absent: it can. */
  readonly incompatibility?: string;
  /** How long until the saga is due, and its lease over, in milliseconds. */
  readonly dueInMs: number;
}

/**
 * Writes one step of a saga.
 *
 * @throws LeaseLost if another executor has it
 */
export async function write(db: Database, { id, epoch }: Lease, change: SagaChange): Promise<void> {
  const { state, reason, answer, next, undone, error, refused = false, incompatibility, dueInMs } = change;
  const isEnd = state === "completed" || state === "compensated";
  const sets = [
    sql`"due_at" = ${after(dueInMs)}, "updated_at" = now(), "misfit" = ${incompatibility === undefined ? null : plainText(incompatibility)}`,
    ...(incompatibility === undefined ? [attempted(state, error, refused)] : []),
    ...(state === undefined ? [] : [sql`"state" = ${state}`]),
    ...(reason === undefined ? [] : [sql`"reason" = ${plainText(reason)}`]),
    ...(answer === undefined ? [] : [sql`"answers" = array_append("answers", ${buffer(answer)})`]),
    ...(next === undefined
      ? []
      : [
          sql`"steps" = array_append("steps", ${next.step}), "requests" = array_append("requests", ${buffer(next.request)})`,
          sql`"calls" = ${appended("calls", next.call)}, "compensations" = ${appended("compensations", next.compensation)}`,
        ]),
    ...(undone ? [sql`"undone" = "undone" + 1`] : []),
    ...(isEnd ? [sql`"ended_at" = now()`] : []),
  ];
  const { rowCount } = await db.execute(
    sql`UPDATE "scaffold_sagas" SET ${sql.join(sets, sql`, `)} WHERE "id" = ${id} AND "epoch" = ${epoch} AND "ended_at" IS NULL`,
  );
  if (rowCount !== 1) throw new LeaseLost(id);
}

/** Returns a list of methods with that of the step that begins. Rows of old versions of the runtime lack the ones before it. */
function appended(list: "calls" | "compensations", method: string): SQL {
  const column = sql.raw(`"${list}"`);
  const missing = sql`array_fill(NULL::text, ARRAY[cardinality("steps") - cardinality(${column})])`;
  return sql`array_append(${column} || ${missing}, ${method})`;
}

function attempted(state: SagaPhase | undefined, error: string | undefined, refused: boolean): SQL {
  if (error === undefined) return sql`"attempts" = 0, "error" = NULL, "refused" = false`;
  const attempts = state === undefined ? sql`"attempts" + 1` : 0;
  return sql`"attempts" = ${attempts}, "error" = ${plainText(error)}, "refused" = ${refused}`;
}

/**
 * Has a saga compensated, running or completed, and takes it from its executor. Returns false if it is compensated, or being so,
 * already.
 *
 * @throws ConnectError NOT_FOUND if there is no such saga
 */
export async function requestCompensation(db: Database, id: string, reason: string): Promise<boolean> {
  const { rowCount } = await db.execute(sql`
    UPDATE "scaffold_sagas" SET "state" = 'compensating', "reason" = ${plainText(reason)}, "attempts" = 0, "error" = NULL, "refused" = false, "misfit" = NULL,
      "epoch" = "epoch" + 1, "due_at" = now(), "updated_at" = now(), "ended_at" = NULL
    WHERE "id" = ${id} AND "state" IN ('running', 'completed')`);
  if (rowCount === 0 && (await phase(db, id)) === undefined) {
    throw errorFor("SAGA_NOT_FOUND", `there is no saga ${JSON.stringify(id)}, or none any more`);
  }
  return rowCount === 1;
}

/** Returns how far a saga has come, or undefined if there is none. */
export async function phase(db: Database, id: string): Promise<SagaPhase | undefined> {
  const { rows } = await db.execute(sql`SELECT "state" FROM "scaffold_sagas" WHERE "id" = ${id}`);
  return (rows[0] as { state: SagaPhase } | undefined)?.state;
}

/** Marks and returns sagas that are a minute overdue because none of these methods starts them: the contract no longer has them. */
export async function markUnknown(db: Database, names: readonly string[]): Promise<{ id: string; saga: string }[]> {
  const { rows } = await db.execute(sql`
    UPDATE "scaffold_sagas" SET "misfit" = 'the contract has no saga of ' || "saga"
    WHERE "ended_at" IS NULL AND "due_at" < now() - interval '1 minute' AND "misfit" IS NULL AND "saga" NOT IN ${names}
    RETURNING "id", "saga"`);
  return rows as unknown as { id: string; saga: string }[];
}

/** Removes sagas of one method that ended longer ago than this, the oldest first. Returns how many, and notes when the last of them ended. */
export async function removeEnded(db: Database, saga: string, retentionMs: number, limit: number): Promise<number> {
  const { rows } = await db.execute(sql`
    WITH "gone" AS (
      DELETE FROM "scaffold_sagas" WHERE "id" IN (
        SELECT "id" FROM "scaffold_sagas" WHERE "saga" = ${saga} AND "ended_at" <= now() - ${retentionMs} * interval '1 millisecond'
        ORDER BY "ended_at" LIMIT ${limit} FOR UPDATE SKIP LOCKED
      ) RETURNING "ended_at"
    ), "noted" AS (
      INSERT INTO "scaffold_sagas_removed" AS "known" ("saga", "until")
      SELECT ${saga}, max("ended_at") FROM "gone" HAVING count(*) > 0
      ON CONFLICT ("saga") DO UPDATE SET "until" = greatest("known"."until", excluded."until")
    ) SELECT count(*)::integer AS "count" FROM "gone"`);
  return (rows[0] as { count: number }).count;
}

/** Counts the sagas that have not ended. */
export async function counts(db: Database): Promise<SagaCounts> {
  const { rows } = await db.execute(sql`
    SELECT count(*) FILTER (WHERE "state" = 'running')::integer AS "running",
      count(*) FILTER (WHERE "state" = 'compensating')::integer AS "compensating",
      count(*) FILTER (WHERE ${sql.raw(STUCK)})::integer AS "stuck"
    FROM "scaffold_sagas" WHERE "ended_at" IS NULL`);
  return rows[0] as unknown as SagaCounts;
}

function buffer({ buffer: memory, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(memory, byteOffset, byteLength);
}
