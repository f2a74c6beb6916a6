import { Code, ConnectError } from "@connectrpc/connect";
import pg from "pg";
import { type Violation, violated } from "../../call/violations.js";
import { LoneSurrogateError } from "../../codec/lone-surrogate.js";
import { own } from "../../codec/message.js";
import type { Reason } from "../../errors/catalogue.js";
import { errorFor } from "../../errors/error.js";
import { RetryInfoSchema } from "../../options/google/rpc/error_details_pb.js";
import { unkeepable, type Written } from "./unkeepable.js";
import { UnkeepableError } from "./unkeepable-error.js";

/**
 * Converts a database error to the caller's error. Other errors are returned unchanged, so this can be applied to any.
 *
 * SQL and values stay in `cause`, for the log; the message is safe for a client.
 */
export function fromDatabase(error: unknown, subject?: Subject): unknown {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (cause instanceof ConnectError) return cause;
    if (cause instanceof pg.DatabaseError) return refusedValue(cause, subject) ?? answered(cause, subject);
    if (cause instanceof UnkeepableError || cause instanceof LoneSurrogateError) {
      return unkeepable(cause, subject?.written, false) ?? error;
    }
    if (isConnectionTrouble(cause)) {
      return unavailable("the database does not answer", cause);
    }
  }
  return error;
}

/** The subject of a statement, so that an error can name fields. */
export interface Subject {
  /** The fields of each constraint, by the constraint's name. */
  readonly constraints: Readonly<Record<string, readonly string[]>>;
  /** Whether the statement deletes a row: a foreign key violation then means that other rows refer to it. */
  readonly removes?: boolean;
  /** The message to be written. */
  readonly written?: Written;
}

/** Runs `body`, and converts the database errors that it throws to ConnectErrors. */
export async function translated<T>(body: () => Promise<T>, subject?: Subject): Promise<T> {
  try {
    return await body();
  } catch (error) {
    throw fromDatabase(error, subject);
  }
}

/** Returns whether an error means that the database did not respond, as opposed to an error response. */
export function isOutage(error: unknown): boolean {
  return error instanceof ConnectError && (error.code === Code.Unavailable || error.code === Code.DeadlineExceeded);
}

/** Returns whether an error means that this service's own database did not respond, as opposed to another service's. */
export function isDatabaseOutage(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) if (outages.has(cause)) return true;
  return false;
}

/**
 * Returns whether an error means that a node is gone or no longer the primary, so that another may be. Uncommitted work has no effect
 * then.
 */
export function isLoss(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (cause instanceof ConnectError && !outages.has(cause)) return false;
    if (cause instanceof pg.DatabaseError) return /^(08|25006$|57P0[1-4]$)/.test(cause.code ?? "");
    if (isConnectionTrouble(cause)) return true;
  }
  return false;
}

/** Returns whether a statement that failed with this error was refused before it had any effect. */
export function isUndone(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (cause instanceof pg.DatabaseError) return cause.code === "25006" || cause.code === "57P03" || isStale(cause);
  }
  return false;
}

/**
 * Returns whether an error means that a prepared statement no longer matches its table, because a migration changed a column's type. A new
 * connection prepares it again.
 */
export function isStale(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    // PostgreSQL has no SQLSTATE for this alone, and localizes the message.
    if (cause instanceof pg.DatabaseError) return cause.code === "0A000" && cause.routine === "RevalidateCachedQuery";
  }
  return false;
}

/** Returns whether an error means that there was no response at all. A refused or reset connection is a response. */
export function isSilence(error: unknown): boolean {
  const { code, message } = error as { code?: unknown; message?: string };
  return code === "ETIMEDOUT" || /timeout|timed out/i.test(message ?? "");
}

/** Returns UNAVAILABLE for a missing database, with a retry delay (google.rpc.RetryInfo). */
export function unavailable(message: string, cause?: Error): ConnectError {
  const retry = { desc: RetryInfoSchema, value: { retryDelay: { seconds: RETRY_S } } };
  const error = errorFor("DATABASE_UNAVAILABLE", message, { details: [retry], cause });
  outages.add(error);
  return error;
}

/** The retry delay for callers: about the time that it takes to detect a promoted replica. */
const RETRY_S = 1n;

const outages = new WeakSet<Error>();

/**
 * Returns whether a transaction that failed with this error may succeed when retried: serialization failure, deadlock, or a statement that
 * must be prepared again.
 */
export function isRetryable(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (cause instanceof pg.DatabaseError) return cause.code === "40001" || cause.code === "40P01" || isStale(cause);
  }
  return false;
}

/** By SQLSTATE; exact codes take precedence over their class (PostgreSQL, appendix A). */
const meanings: Readonly<Record<string, readonly [reason: Reason, message: string]>> = {
  "08": ["DATABASE_UNAVAILABLE", "the database does not answer"],
  "22": ["VALUE_INVALID", "a value does not fit"],
  "22003": ["VALUE_INVALID", "a number is out of range"],
  "23": ["CONSTRAINT_VIOLATED", "a rule of the database does not allow this"],
  "23001": ["REFERENCE_VIOLATED", "another row refers to this one, or the row it refers to does not exist"],
  "23502": ["CONSTRAINT_VIOLATED", "a value that the database needs is missing"],
  "23503": ["REFERENCE_VIOLATED", "another row refers to this one, or the row it refers to does not exist"],
  "23505": ["ROW_ALREADY_EXISTS", "a row with the same values exists already"],
  "23P01": ["ROW_ALREADY_EXISTS", "another row excludes this one"],
  "25006": ["DATABASE_UNAVAILABLE", "the database takes no writes at the moment"],
  "25P02": ["TRANSACTION_FAILED", "an earlier statement of this transaction failed, so it can only be rolled back"],
  "28": ["DATABASE_UNAVAILABLE", "the database refuses this service's user: check DATABASE_URL"],
  "3D000": ["DATABASE_UNAVAILABLE", "the database does not exist: check DATABASE_URL"],
  "40": ["TRANSACTION_CONFLICT", "other transactions were in the way: try again"],
  "42P01": ["SCHEMA_OUTDATED", "a table is missing: apply the service's migrations"],
  "42703": ["SCHEMA_OUTDATED", "a column is missing: apply the service's migrations"],
  "53": ["DATABASE_UNAVAILABLE", "the database has run out of resources"],
  "53400": ["DATABASE_FAILED", "a limit of the database's configuration is exceeded"],
  "54": ["VALUE_INVALID", "a value is too large for the database"],
  "55P03": ["STATEMENT_TIMEOUT", "another transaction held the row for too long"],
  "57": ["DATABASE_UNAVAILABLE", "the database is shutting down or starting"],
  "57014": ["STATEMENT_TIMEOUT", "the database took too long"],
};

/** Returns the error for a value that no column of its type can store, or undefined for another error. */
function refusedValue(error: pg.DatabaseError, subject: Subject | undefined): ConnectError | undefined {
  if (!error.code?.startsWith("22")) return undefined;
  // U+0000 in text, and in JSON.
  return unkeepable(error, subject?.written, error.code === "22021" || error.code === "22P05");
}

/** PostgreSQL names table, column and constraint, but a trigger that raises the same SQLSTATE need not. */
function answered(error: pg.DatabaseError, subject: Subject | undefined): ConnectError {
  const { code: state = "", table, column, constraint } = error;
  if (state === "23505" && table !== undefined) {
    const same = keysOf(error) ?? (constraint && `the same ${constraint}`);
    if (same !== undefined) return refused("ROW_ALREADY_EXISTS", `${table} has a row with ${same} already`, error);
  }
  if (state === "23502" && column !== undefined) {
    return violated([{ field: column, description: "is missing", reason: "REQUIRED" }], "CONSTRAINT_VIOLATED", error);
  }
  if (constraint !== undefined) {
    const broken = ofConstraint(error, constraint, subject);
    if (broken !== undefined) return broken;
  }
  const [reason, message] = meanings[state] ??
    meanings[state.slice(0, 2)] ?? ["DATABASE_FAILED", "the database failed"];
  return refused(reason, state === "" ? message : `${message} (SQLSTATE ${state})`, error);
}

function ofConstraint(
  error: pg.DatabaseError,
  constraint: string,
  subject: Subject | undefined,
): ConnectError | undefined {
  const fields = subject && own(subject.constraints, constraint);
  if (error.code === "23514" && fields !== undefined) {
    const description = `the rule ${constraint} does not allow this`;
    return violated(each(fields, description, "RULE_BROKEN"), "CONSTRAINT_VIOLATED", error);
  }
  if ((error.code === "23503" || error.code === "23001") && subject?.removes) {
    return refused("REFERENCE_VIOLATED", `other rows refer to this one (${constraint})`, error);
  }
  if (error.code === "23503" && fields !== undefined) {
    const description = "the row that it refers to does not exist";
    return violated(each(fields, description, "REFERENCE_NOT_FOUND"), "REFERENCE_VIOLATED", error);
  }
  if (error.code === "23514" && error.table !== undefined) {
    return refused("CONSTRAINT_VIOLATED", `the rule "${constraint}" of ${error.table} does not allow this`, error);
  }
  return undefined;
}

function each(fields: readonly string[], description: string, reason: string): Violation[] {
  return fields.map((field) => ({ field, description, reason }));
}

/** Returns the unique fields without values, from `Key (customer_id, slot)=(17, 3) already exists.` in any language. */
function keysOf({ detail }: pg.DatabaseError): string | undefined {
  const fields = /\(([^=]+)\)=\(/.exec(detail ?? "")?.[1];
  return fields && `this ${fields}`;
}

/** The driver's messages for a lost connection, which have no code. */
const driverSays =
  /^(Connection terminated|timeout exceeded when trying to connect|Client has encountered a connection error|Client was closed|Query read timeout|Cannot use a pool after calling end)/;
const systemCodes = new Set(
  "ECONNREFUSED ECONNRESET EPIPE ETIMEDOUT EHOSTUNREACH ENETUNREACH ENOTFOUND EAI_AGAIN".split(" "),
);

function isConnectionTrouble(error: Error & { code?: unknown; syscall?: unknown }): boolean {
  // A missing file is ENOENT, too; only a missing Unix socket means the database.
  if (error.code === "ENOENT") return error.syscall === "connect";
  return systemCodes.has(String(error.code)) || driverSays.test(error.message);
}

function refused(reason: Reason, message: string, cause: Error): ConnectError {
  return reason === "DATABASE_UNAVAILABLE" ? unavailable(message, cause) : errorFor(reason, message, { cause });
}
