import { createHash } from "node:crypto";
import type { DescMessage, DescMethod, DescMethodUnary, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { and, eq, sql } from "drizzle-orm";
import { pgTable, primaryKey, text, timestamp } from "drizzle-orm/pg-core";
import type { KeyedContext } from "../call/context.js";
import { createMessage } from "../codec/create.js";
import { codecOf } from "../codec/known.js";
import { errorFor } from "../errors/error.js";
import { bytes } from "./postgres/columns.js";
import type { DatabaseTransaction } from "./postgres/driver.js";

/** Idempotent requests and their responses. */
const requests = pgTable(
  "scaffold_requests",
  {
    /** The method's full name: two methods may receive the same key. */
    method: text("method").notNull(),
    key: text("key").notNull(),
    /** A digest of the request without its key. */
    fingerprint: bytes("fingerprint").notNull(),
    /** The encoded response. NULL only inside the transaction that computes it. */
    answer: bytes("answer"),
    createdAt: timestamp("created_at", { withTimezone: true }).notNull().defaultNow(),
    /** The time at which it was undone, or forbidden before it ran: see `undoOnce`. */
    undoneAt: timestamp("undone_at", { withTimezone: true }),
  },
  (table) => [primaryKey({ columns: [table.method, table.key] })],
);

/**
 * Runs `body` unless this request has a stored response, and then returns that. Without a key it always runs.
 *
 * The insert of the key, the writes of `body` and the response are one transaction: a concurrent request with the same key waits for
 * its end. If it is rolled back, nothing is stored, and the waiting request runs.
 *
 * @throws ConnectError INVALID_ARGUMENT if the key was used with another request; FAILED_PRECONDITION if it was undone
 */
export async function answerOnce<O extends DescMessage>(
  tx: DatabaseTransaction,
  context: KeyedContext<O>,
  body: () => Promise<MessageInitShape<O>>,
): Promise<MessageShape<O>> {
  // A KeyedContext<O> belongs to a method whose response is an O.
  const output = context.method.output as O;
  const key = context.idempotencyKey;
  if (key === undefined) return createMessage(output, await body());
  const method = pathOf(context.method);
  const fingerprint = hash(context.fingerprint);
  const claimed = await tx.insert(requests).values({ method, key, fingerprint }).onConflictDoNothing();
  const mine = and(eq(requests.method, method), eq(requests.key, key));
  if (claimed.rowCount === 0) {
    const [row] = await tx.select().from(requests).where(mine);
    return codecOf(output).decode(recordedAnswer(row, key, fingerprint, context));
  }
  const answer = createMessage(output, await body());
  await tx
    .update(requests)
    .set({ answer: codecOf(output).toBytes(answer) })
    .where(mine);
  return answer;
}

/**
 * Undoes what `answerOnce` did for the method `done` under the context's key, once as well. It waits for a transaction that is running
 * the method. After that the method is refused under this key, whether it had run or not.
 *
 * @param body undoes the response; `undefined` if the method did not run, and never will
 * @throws ConnectError INVALID_ARGUMENT without a key
 */
export async function undoOnce<O extends DescMessage, D extends DescMessage>(
  tx: DatabaseTransaction,
  context: KeyedContext<O>,
  done: DescMethodUnary<DescMessage, D>,
  body: (answer: MessageShape<D> | undefined) => Promise<MessageInitShape<O>>,
): Promise<MessageShape<O>> {
  const { idempotencyKey: key } = context;
  if (key === undefined) {
    throw errorFor("IDEMPOTENCY_KEY_MISSING", `${done.name} is undone by its key: send that`);
  }
  return answerOnce(tx, context, async () => {
    const undoneAt = sql`now()`;
    const method = pathOf(done);
    // A tombstone for a request that has not arrived: no real request has an empty fingerprint.
    const tombstone = { method, key, fingerprint: new Uint8Array(), undoneAt };
    const claimed = await tx.insert(requests).values(tombstone).onConflictDoNothing();
    if (claimed.rowCount !== 0) return body(undefined);
    const mine = and(eq(requests.method, method), eq(requests.key, key));
    const [row] = await tx.update(requests).set({ undoneAt }).where(mine).returning();
    return body(row?.answer == null ? undefined : codecOf(done.output).decode(row.answer));
  });
}

/** Returns whether the key was stored with a digest from before the method ignored some fields. */
function isOlder(kept: Uint8Array, whole: Uint8Array | undefined): boolean {
  return whole !== undefined && Buffer.compare(kept, hash(whole)) === 0;
}

function hash(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(createHash("sha256").update(bytes).digest());
}

function pathOf({ parent, name }: DescMethod): string {
  return `${parent.typeName}/${name}`;
}

function recordedAnswer(
  row: typeof requests.$inferSelect | undefined,
  key: string,
  fingerprint: Uint8Array,
  context: Pick<KeyedContext<DescMessage>, "wholeFingerprint">,
): Uint8Array {
  if (row === undefined) throw errorFor("REQUEST_IN_PROGRESS", "the same request was in the way: try again");
  if (row.undoneAt !== null) {
    throw errorFor("IDEMPOTENCY_KEY_UNDONE", `what has the key ${JSON.stringify(key)} was undone: send a new key`);
  }
  if (Buffer.compare(row.fingerprint, fingerprint) !== 0 && !isOlder(row.fingerprint, context.wholeFingerprint)) {
    throw errorFor(
      "IDEMPOTENCY_KEY_REUSED",
      `the key ${JSON.stringify(key)} came with another request before: send the same request again, or a new key`,
    );
  }
  if (row.answer === null) {
    throw errorFor("IDEMPOTENCY_KEY_NESTED", `the key ${JSON.stringify(key)} is used again inside its own request`);
  }
  return row.answer;
}
