import { drizzle } from "drizzle-orm/node-postgres";
import pg from "pg";
import { requestCompensation, type SagaPhase, STUCK } from "./store.js";

/** A saga in a list. */
export interface SagaListing {
  readonly id: string;
  /** The full name of the method that started it. */
  readonly saga: string;
  readonly state: SagaPhase;
  /** The current step. Null: the saga has ended. */
  readonly step: string | null;
  /** The number of failed attempts at the current step. */
  readonly attempts: number;
  /** Whether a person should look: it has failed often, was refused for good, or is incompatible. It is retried all the same. */
  readonly stuck: boolean;
  /** Why the version of the contract that runs cannot go on with it. Null: it can. */
  readonly incompatibility: string | null;
  readonly error: string | null;
  readonly reason: string | null;
  readonly createdAt: Date;
  readonly endedAt: Date | null;
}

/** A saga with its requests and answers, as bytes. */
export interface SagaDetails extends SagaListing {
  readonly input: Uint8Array;
  readonly steps: readonly {
    readonly name: string;
    readonly state: "begun" | "done" | "undone";
    readonly request: Uint8Array;
    readonly answer: Uint8Array | undefined;
  }[];
  /** How long until it is due, in milliseconds. Negative: it is overdue. */
  readonly dueInMs: number;
}

/** The sagas of a list. */
export type SagaFilter = SagaPhase | "unfinished" | "stuck" | "all";

export interface SagaQuery {
  readonly filter: SagaFilter;
  readonly limit: number;
}

const STEP = `CASE "state" WHEN 'running' THEN "steps"[cardinality("steps")]
  WHEN 'compensating' THEN "steps"[greatest(1, cardinality("steps") - "undone")] END`;
const LISTED = `"id", "saga", "state", ${STEP} AS "step", "attempts", "error", "misfit" AS "incompatibility", "reason", "created_at" AS "createdAt",
  "ended_at" AS "endedAt", "ended_at" IS NULL AND ${STUCK} AS "stuck"`;

const conditions: Readonly<Record<SagaFilter, string>> = {
  all: "true",
  unfinished: `"ended_at" IS NULL`,
  stuck: `"ended_at" IS NULL AND ${STUCK}`,
  running: `"ended_at" IS NULL AND "state" = 'running'`,
  compensating: `"ended_at" IS NULL AND "state" = 'compensating'`,
  completed: `"state" = 'completed'`,
  compensated: `"state" = 'compensated'`,
};

/** Returns the sagas in a database, the latest first. */
export function listSagas(url: string, { filter, limit }: SagaQuery): Promise<SagaListing[]> {
  return connected(url, async (client) => {
    if (!(await has(client))) return [];
    const { rows } = await client.query(
      `SELECT ${LISTED} FROM "scaffold_sagas" WHERE ${conditions[filter]} ORDER BY "created_at" DESC, "id" LIMIT $1`,
      [limit],
    );
    return rows;
  });
}

/** Returns one saga, or undefined if the database has none of that id. */
export function findSaga(url: string, id: string): Promise<SagaDetails | undefined> {
  return connected(url, async (client) => {
    if (!(await has(client))) return undefined;
    const { rows } = await client.query(
      `SELECT ${LISTED}, "input", "steps" AS "names", "requests", "answers", "undone",
        (extract(epoch from "due_at" - now()) * 1000)::float8 AS "dueInMs" FROM "scaffold_sagas" WHERE "id" = $1`,
      [id],
    );
    const [row] = rows;
    if (row === undefined) return undefined;
    const { names, requests, answers, undone, ...saga } = row;
    const steps = (names as string[]).map((name, position) => ({
      name,
      state: position >= names.length - undone ? "undone" : position < answers.length ? "done" : "begun",
      request: requests[position],
      answer: answers[position],
    }));
    return { ...saga, steps };
  });
}

/** Makes a saga due at once. Returns false if there is none of that id that has not ended. */
export function retrySaga(url: string, id: string): Promise<boolean> {
  return connected(url, async (client) => {
    const sql = `UPDATE "scaffold_sagas" SET "due_at" = least("due_at", now()) WHERE "id" = $1 AND "ended_at" IS NULL`;
    return (await has(client)) && (await client.query(sql, [id])).rowCount === 1;
  });
}

/** Has a saga compensated, running or completed. Returns false if it is compensated, or being so, already. */
export function compensateSaga(url: string, id: string, reason: string): Promise<boolean> {
  return connected(url, (client) => requestCompensation(drizzle({ client }), id, reason));
}

/** Both sides of one step of a saga. */
export interface AuditedStep {
  /** The full name of the method that starts the saga: "shop.orders.v1.OrderService/PlaceOrder". */
  readonly saga: string;
  readonly step: string;
  /** The full name of the method that the step calls. */
  readonly call: string;
  /** The called service, and its database. */
  readonly service: string;
  readonly url: string;
}

/** A difference between the two sides of a step. */
export interface Disagreement {
  readonly saga: string;
  readonly step: string;
  readonly service: string;
  readonly message: string;
}

/** The number of sagas, or requests, that are compared at a time. */
const PAGE = 1000;

/**
 * Compares what sagas have recorded as done and compensated with what the called services have recorded of their requests, in both
 * directions. An unfinished saga is compared as far as it is certain. Returns where they disagree.
 */
export async function auditSagas(url: string, steps: readonly AuditedStep[]): Promise<Disagreement[]> {
  const found = await compare(url, steps);
  if (found.length === 0) return found;
  // Work that one side did while the other was read is on both sides by now.
  const again = new Set((await compare(url, steps)).map((disagreement) => JSON.stringify(disagreement)));
  return found.filter((disagreement) => again.has(JSON.stringify(disagreement)));
}

async function compare(url: string, steps: readonly AuditedStep[]): Promise<Disagreement[]> {
  const found: Disagreement[] = [];
  await connected(url, async (client) => {
    if (!(await has(client))) return;
    for (const step of steps) {
      await connected(step.url, async (callee) => {
        found.push(...(await missingThere(client, callee, step)));
        found.push(...(await unknownHere(client, callee, step)));
      });
    }
  });
  return found;
}

interface Side {
  readonly id: string;
  readonly state: SagaPhase;
  readonly begun: boolean;
  readonly undone: boolean;
  readonly answer: Buffer | null;
}

/** Returns the steps of which the called service has recorded something else than the saga. */
async function missingThere(client: pg.Client, callee: pg.Client, step: AuditedStep): Promise<Disagreement[]> {
  const found: Disagreement[] = [];
  for (let last = ""; ; ) {
    const { rows } = await client.query<Side>(
      `SELECT "id", "state", "at" IS NOT NULL AS "begun", "answers"["at"] AS "answer",
        "at" > cardinality("steps") - "undone" OR "state" = 'compensated' AS "undone"
      FROM (SELECT *, array_position("steps", $1) AS "at" FROM "scaffold_sagas") AS "sagas"
      WHERE "saga" = $2 AND "id" > $3 COLLATE "C" ORDER BY "id" LIMIT ${PAGE}`,
      [step.step, step.saga, last],
    );
    const begun = rows.filter((row) => row.begun);
    const there = await requestsOf(
      callee,
      step.call,
      begun.map(({ id }) => `${id}/${step.step}`),
    );
    for (const side of begun) {
      const message = disagreement(side, there.get(`${side.id}/${step.step}`));
      if (message !== undefined) found.push({ saga: side.id, step: step.step, service: step.service, message });
    }
    if (rows.length < PAGE) return found;
    last = rows.at(-1)?.id ?? "";
  }
}

interface Request {
  readonly key: string;
  readonly answer: Buffer | null;
  readonly undone: boolean;
}

function disagreement({ state, undone, answer }: Side, there: Request | undefined): string | undefined {
  if (undone) {
    if (there?.undone) return undefined;
    return there === undefined
      ? "is undone, and the service has no mark of that"
      : "is undone, and the service has it done";
  }
  // The step may be under way, or being compensated.
  if (answer === null || state === "compensating") return undefined;
  if (there?.answer == null) return "is done, and the service does not know of it";
  if (there.undone) return "is done, and the service has it undone";
  return there.answer.equals(answer) ? undefined : "was answered otherwise than the service says";
}

/** The most that the clock of a called service may be ahead. */
const CLOCKS_DIFFER = "1 hour";

/**
 * Returns requests with the key of a saga that is not there: a lost saga will not compensate them. Requests older than the last
 * saga that retention removed are passed over, because their sagas may be among the removed.
 */
async function unknownHere(client: pg.Client, callee: pg.Client, step: AuditedStep): Promise<Disagreement[]> {
  const found: Disagreement[] = [];
  const suffix = `/${step.step}`;
  const removed = await client.query<{ until: string }>(
    `SELECT ("until" + interval '${CLOCKS_DIFFER}')::text AS "until" FROM "scaffold_sagas_removed" WHERE "saga" = $1`,
    [step.saga],
  );
  const since = removed.rows[0]?.until ?? "-infinity";
  for (let last = ""; ; ) {
    const { rows } = await callee.query<Request>(
      `SELECT "key" FROM "scaffold_requests" WHERE "method" = $1 AND "key" > $2 COLLATE "C" AND right("key", $3) = $4
        AND "undone_at" IS NULL AND "created_at" > $5 ORDER BY "key" LIMIT ${PAGE}`,
      [step.call, last, suffix.length, suffix, since],
    );
    const ids = rows.map(({ key }) => key.slice(0, -suffix.length));
    const known = await client.query<{ id: string }>(`SELECT "id" FROM "scaffold_sagas" WHERE "id" = ANY($1)`, [ids]);
    const here = new Set(known.rows.map(({ id }) => id));
    for (const id of ids.filter((candidate) => !here.has(candidate))) {
      const message = "is done, and there is no such saga";
      found.push({ saga: id, step: step.step, service: step.service, message });
    }
    if (rows.length < PAGE) return found;
    last = rows.at(-1)?.key ?? "";
  }
}

async function requestsOf(callee: pg.Client, method: string, keys: readonly string[]): Promise<Map<string, Request>> {
  const { rows } = await callee.query<Request>(
    `SELECT "key", "answer", "undone_at" IS NOT NULL AS "undone" FROM "scaffold_requests"
      WHERE "method" = $1 AND "key" = ANY($2)`,
    [method, keys],
  );
  return new Map(rows.map((row) => [row.key, row]));
}

async function has(client: pg.Client): Promise<boolean> {
  const { rows } = await client.query(`SELECT to_regclass('"scaffold_sagas"') IS NOT NULL AS "there"`);
  return rows[0].there;
}

async function connected<T>(url: string, run: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5000 });
  // A lost connection fails the statement. Without a listener it would also end the process.
  client.on("error", () => undefined);
  try {
    await client.connect();
    return await run(client);
  } finally {
    await client.end();
  }
}
