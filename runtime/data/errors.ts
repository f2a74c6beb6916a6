import { Code, ConnectError } from "@connectrpc/connect";
import pg from "pg";
import { RetryInfoSchema } from "../options/google/rpc/error_details_pb.js";
import { type Violation, violated } from "../rpc/violations.js";

/**
 * What an error from the database means to a caller. Errors that are not the database's come back as they are, so this
 * may be applied to whatever was thrown.
 *
 * SQL and values stay in `cause`, for the log; the message is fit for a client.
 */
export function fromDatabase(error: unknown, subject?: Subject): unknown {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (cause instanceof ConnectError) return cause;
    if (cause instanceof pg.DatabaseError) return answered(cause, subject);
    if (isConnectionTrouble(cause)) {
      return failure("the database does not answer", Code.Unavailable, cause);
    }
  }
  return error;
}

/** What a statement was about, so that an error can name fields. */
export interface Subject {
  /** The database's constraints by name, and the fields that they are about. */
  readonly constraints: Readonly<Record<string, readonly string[]>>;
  /** Whether a row was to be removed: then it is others that refer to it. */
  readonly removes?: boolean;
}

/** Runs `body`; what the database throws in it becomes a ConnectError. */
export async function translated<T>(body: () => Promise<T>, subject?: Subject): Promise<T> {
  try {
    return await body();
  } catch (error) {
    throw fromDatabase(error, subject);
  }
}

/** Whether an error says that the database did not answer, rather than that it answered no. */
export function isOutage(error: unknown): boolean {
  return error instanceof ConnectError && (error.code === Code.Unavailable || error.code === Code.DeadlineExceeded);
}

/** Whether an error says that this service's own database did not answer, and not one behind another service. */
export function isDatabaseOutage(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) if (outages.has(cause)) return true;
  return false;
}

/**
 * Whether an error says that a server is gone, or is not the one that takes writes (any more): another may be. Whatever
 * was not committed has not happened.
 */
export function isLoss(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (cause instanceof ConnectError && !outages.has(cause)) return false;
    if (cause instanceof pg.DatabaseError) return /^(08|25006$|57P0[1-4]$)/.test(cause.code ?? "");
    if (isConnectionTrouble(cause)) return true;
  }
  return false;
}

/** Whether a statement that failed with this was refused before it did anything. */
export function isUndone(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (cause instanceof pg.DatabaseError) return cause.code === "25006" || cause.code === "57P03" || isStale(cause);
  }
  return false;
}

/**
 * Whether an error says that a statement which was prepared no longer fits its table, for a migration has changed the type
 * of a column. A new connection prepares it anew.
 */
export function isStale(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    // PostgreSQL has no code for it alone, and says the text in its own language.
    if (cause instanceof pg.DatabaseError) return cause.code === "0A000" && cause.routine === "RevalidateCachedQuery";
  }
  return false;
}

/** Whether an error says that nothing was heard at all. Whoever refuses a connection, or breaks one, has been heard. */
export function isSilence(error: unknown): boolean {
  const { code, message } = error as { code?: unknown; message?: string };
  return code === "ETIMEDOUT" || /timeout|timed out/i.test(message ?? "");
}

/** UNAVAILABLE for want of a database, and when to try again (google.rpc.RetryInfo). */
export function unavailable(message: string, cause?: Error): ConnectError {
  const retry = { desc: RetryInfoSchema, value: { retryDelay: { seconds: RETRY_S } } };
  const error = new ConnectError(message, Code.Unavailable, undefined, [retry], cause);
  outages.add(error);
  return error;
}

/** What callers are told to wait: about as long as it takes to notice that somebody promoted a replica. */
const RETRY_S = 1n;

const outages = new WeakSet<Error>();

/**
 * Whether a transaction that failed with this may succeed if it is run again: serialization failure, deadlock, or a
 * statement that has to be prepared anew.
 */
export function isRetryable(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (cause instanceof pg.DatabaseError) return cause.code === "40001" || cause.code === "40P01" || isStale(cause);
  }
  return false;
}

/** By SQLSTATE, the exact ones before their class (PostgreSQL, appendix A). */
const meanings: Readonly<Record<string, readonly [code: Code, message: string]>> = {
  "08": [Code.Unavailable, "the database does not answer"],
  "22": [Code.InvalidArgument, "a value does not fit"],
  "22003": [Code.InvalidArgument, "a number is out of range"],
  "22021": [Code.InvalidArgument, "a text holds the character U+0000, which the database cannot keep: leave it out"],
  "22P05": [Code.InvalidArgument, "a text holds the character U+0000, which the database cannot keep: leave it out"],
  "23": [Code.InvalidArgument, "a rule of the database does not allow this"],
  "23503": [Code.FailedPrecondition, "another row refers to this one, or the row it refers to does not exist"],
  "25006": [Code.Unavailable, "the database takes no writes at the moment"],
  "25P02": [Code.Internal, "an earlier statement of this transaction failed, so it can only be rolled back"],
  "28": [Code.Unavailable, "the database refuses this service's user: check DATABASE_URL"],
  "3D000": [Code.Unavailable, "the database does not exist: check DATABASE_URL"],
  "40": [Code.Aborted, "other transactions were in the way: try again"],
  "42P01": [Code.Internal, "a table is missing: apply the service's migrations"],
  "42703": [Code.Internal, "a column is missing: apply the service's migrations"],
  "53": [Code.Unavailable, "the database has run out of resources"],
  "53400": [Code.Internal, "a limit of the database's configuration is exceeded"],
  "54": [Code.InvalidArgument, "a value is too large for the database"],
  "55P03": [Code.DeadlineExceeded, "another transaction held the row for too long"],
  "57": [Code.Unavailable, "the database is shutting down or starting"],
  "57014": [Code.DeadlineExceeded, "the database took too long"],
};

function answered(error: pg.DatabaseError, subject: Subject | undefined): ConnectError {
  const state = error.code ?? "";
  if (state === "23505") return failure(taken(error), Code.AlreadyExists, error);
  if (state === "23502") {
    const violation = { field: error.column ?? "", description: "is missing", reason: "REQUIRED" };
    return violated([violation], Code.InvalidArgument, error);
  }
  const fields = subject?.constraints[error.constraint ?? ""];
  if (state === "23514" && fields !== undefined) {
    const description = `the rule ${error.constraint} does not allow this`;
    return violated(each(fields, description, "RULE_BROKEN"), Code.InvalidArgument, error);
  }
  if (state === "23503" && subject?.removes) {
    return failure(`other rows refer to this one (${error.constraint})`, Code.FailedPrecondition, error);
  }
  if (state === "23503" && fields !== undefined) {
    const description = "the row that it refers to does not exist";
    return violated(each(fields, description, "REFERENCE_NOT_FOUND"), Code.FailedPrecondition, error);
  }
  if (state === "23514") {
    return failure(`the rule "${error.constraint}" of ${error.table} does not allow this`, Code.InvalidArgument, error);
  }
  const [code, message] = meanings[state] ?? meanings[state.slice(0, 2)] ?? [Code.Internal, "the database failed"];
  return failure(`${message} (SQLSTATE ${state})`, code, error);
}

function each(fields: readonly string[], description: string, reason: string): Violation[] {
  return fields.map((field) => ({ field, description, reason }));
}

/** Names the unique fields, never the values: `Key (customer_id, slot)=(17, 3) already exists.` in any language. */
function taken({ detail, table, constraint }: pg.DatabaseError): string {
  const fields = /\(([^=]+)\)=\(/.exec(detail ?? "")?.[1];
  return `${table} has a row with ${fields === undefined ? `the same ${constraint}` : `this ${fields}`} already`;
}

/** The driver's own words for a connection that is not there; they come without a code. */
const driverSays =
  /^(Connection terminated|timeout exceeded when trying to connect|Client has encountered a connection error|Client was closed|Query read timeout|Cannot use a pool after calling end)/;
const systemCodes = new Set(
  "ECONNREFUSED ECONNRESET EPIPE ETIMEDOUT EHOSTUNREACH ENETUNREACH ENOTFOUND EAI_AGAIN".split(" "),
);

function isConnectionTrouble(error: Error & { code?: unknown; syscall?: unknown }): boolean {
  // A missing file is ENOENT too; only a missing Unix socket is the database's.
  if (error.code === "ENOENT") return error.syscall === "connect";
  return systemCodes.has(String(error.code)) || driverSays.test(error.message);
}

function failure(message: string, code: Code, cause: Error): ConnectError {
  return code === Code.Unavailable
    ? unavailable(message, cause)
    : new ConnectError(message, code, undefined, undefined, cause);
}
