import { Code } from "@connectrpc/connect";

/** What the catalogue says of one reason. */
export interface ErrorEntry {
  readonly code: Code;
  /** When the error is thrown, as a row of the reference. */
  readonly meaning: string;
  /** What a caller or an operator can do about it. */
  readonly remedy?: string;
}

/** The errors of the runtime by reason. Reasons are stable: programs compare them. Texts are for people and may change. */
export const catalogue = Object.freeze({
  CONSTRAINT_VIOLATED: {
    code: Code.InvalidArgument,
    meaning: "A constraint of the database does not allow the value.",
    remedy: "Send a value that the constraint allows. The message names the constraint.",
  },
  DATABASE_FAILED: {
    code: Code.Internal,
    meaning: "The database refused a statement for a reason that a caller cannot change.",
    remedy: "Look the SQLSTATE up in PostgreSQL's appendix A. The log has the statement.",
  },
  DATABASE_UNAVAILABLE: {
    code: Code.Unavailable,
    meaning: "The service's database cannot be reached, or takes no writes.",
    remedy: "Retry after the delay in `google.rpc.RetryInfo`. Operators check `DATABASE_URL`.",
  },
  ETAG_MISMATCH: {
    code: Code.Aborted,
    meaning: "The row has changed since it had the etag of the request.",
    remedy: "Get the row again and decide with its new etag.",
  },
  EVENT_TOO_LARGE: {
    code: Code.ResourceExhausted,
    meaning: "An event has more bytes than can be published.",
    remedy: "Leave out what consumers can ask the service for.",
  },
  HANDLER_FAILED: {
    code: Code.Internal,
    meaning: "A handler threw something other than a `ConnectError`.",
    remedy: "The service's log has the error. Throw a `ConnectError` for what callers should know.",
  },
  IDEMPOTENCY_KEY_MISSING: {
    code: Code.InvalidArgument,
    meaning: "A compensation came without the idempotency key of the call that it undoes.",
    remedy: "Send the key of that call.",
  },
  IDEMPOTENCY_KEY_NESTED: {
    code: Code.Internal,
    meaning: "A handler used an idempotency key again inside the request that has it.",
    remedy: "Call `once` one time in a request.",
  },
  IDEMPOTENCY_KEY_REUSED: {
    code: Code.InvalidArgument,
    meaning: "The idempotency key came with another request before.",
    remedy: "Send the same request again, or a new key.",
  },
  IDEMPOTENCY_KEY_UNDONE: {
    code: Code.FailedPrecondition,
    meaning: "The call with this idempotency key was undone by its compensation.",
    remedy: "Send a new key.",
  },
  KEY_IMMUTABLE: {
    code: Code.InvalidArgument,
    meaning: "An update would change the key of a row.",
    remedy: "Create a row with the new key.",
  },
  METHOD_NOT_IMPLEMENTED: {
    code: Code.Unimplemented,
    meaning: "A deferred write is for a method that the service no longer has.",
    remedy: "Deploy a version of the service that has it.",
  },
  REFERENCE_VIOLATED: {
    code: Code.FailedPrecondition,
    meaning: "A row refers to one that does not exist, or other rows still refer to this one.",
    remedy: "Create the row that is referred to first; delete the rows that refer to another before it.",
  },
  REQUEST_IN_PROGRESS: {
    code: Code.Aborted,
    meaning: "A request with the same idempotency key ran at the same time.",
    remedy: "Retry with the same key.",
  },
  RESPONSE_INVALID: {
    code: Code.Internal,
    meaning: "A response, or a detail of an error, has a string that is not valid Unicode.",
    remedy: "The message names the field. Correct the handler.",
  },
  ROWS_TOO_LARGE: {
    code: Code.ResourceExhausted,
    meaning: "The rows of one batch have more bytes than are read at once.",
    remedy: "Ask for fewer rows.",
  },
  ROW_ALREADY_EXISTS: {
    code: Code.AlreadyExists,
    meaning: "Another row has the same key or the same unique values.",
  },
  ROW_NOT_DELETED: {
    code: Code.AlreadyExists,
    meaning: "A row was to be undeleted and is not deleted.",
  },
  ROW_NOT_FOUND: {
    code: Code.NotFound,
    meaning: "No row has the key. The message names up to ten keys.",
  },
  RULE_NOT_EVALUABLE: {
    code: Code.Internal,
    meaning: "A `buf.validate` rule of the contract cannot be evaluated.",
    remedy: "Correct the rule that the message names.",
  },
  SAGA_NOT_FOUND: {
    code: Code.NotFound,
    meaning: "No saga has the id, or its retention is over.",
  },
  SCHEMA_OUTDATED: {
    code: Code.Internal,
    meaning: "A table or a column is missing in the database.",
    remedy: "Apply the service's migrations.",
  },
  SERVER_DRAINING: {
    code: Code.Unavailable,
    meaning: "The server is shutting down.",
    remedy: "Retry: another instance takes the call.",
  },
  SERVICE_NOT_SERVED: {
    code: Code.NotFound,
    meaning: "A health check names a service that the server does not have.",
  },
  STATEMENT_TIMEOUT: {
    code: Code.DeadlineExceeded,
    meaning: "The database did not complete a statement in time, or a row stayed locked.",
    remedy: "Retry if the method is idempotent.",
  },
  TRANSACTION_CONFLICT: {
    code: Code.Aborted,
    meaning: "Concurrent transactions were in the way, also after retries.",
    remedy: "Retry the whole call.",
  },
  TRANSACTION_FAILED: {
    code: Code.Internal,
    meaning: "A handler went on with a transaction in which a statement had failed.",
    remedy: "Let the error of that statement end the transaction.",
  },
  VALUE_INVALID: {
    code: Code.InvalidArgument,
    meaning: "A value does not fit its column: its form, its range or its size.",
  },
  VALUE_NOT_STORABLE: {
    code: Code.Internal,
    meaning: "A handler wrote a value that the database cannot keep.",
    remedy: "The message names the field. Correct the handler.",
  },
} as const satisfies Readonly<Record<string, ErrorEntry>>);

/** The reason of an error of the runtime, as `google.rpc.ErrorInfo` has it. */
export type Reason = keyof typeof catalogue;
