import { Code } from "@connectrpc/connect";

/** What the catalogue says of one reason. */
export interface ErrorEntry {
  readonly code: Code;
  /** When the error is thrown, as a row of the reference. */
  readonly meaning: string;
  /** What a caller or an operator can do about it. */
  readonly remedy: string;
  /** Whether the reason stays in the process: gRPC's conformance suites define the error on the wire, without details. */
  readonly isLocal?: boolean;
}

/** The errors of the runtime by reason. Reasons are stable: programs compare them. Texts are for people and may change. */
export const catalogue = Object.freeze({
  BODY_INVALID: {
    code: Code.InvalidArgument,
    meaning: "The body of a REST request has the wrong form, media type or encoding, or is not allowed at this path.",
    remedy: "Send JSON with `Content-Type: application/json`, where the route takes a body.",
  },
  BODY_TOO_SLOW: {
    code: Code.DeadlineExceeded,
    meaning: "The body of a REST request took too long to arrive.",
    remedy: "Send the request again.",
  },
  CALL_CANCELLED: {
    code: Code.Canceled,
    meaning: "The caller gave the call up, or its connection is gone.",
    remedy: "If the caller did not mean to, check what closes its connection, such as a proxy's timeout.",
    isLocal: true,
  },
  CALL_QUEUE_FULL: {
    code: Code.ResourceExhausted,
    meaning: "Too many calls of this process already wait for a connection to the service.",
    remedy: "Start fewer calls at once, or more instances of the service.",
  },
  CANCELLED_CALLS_OVER_LIMIT: {
    code: Code.ResourceExhausted,
    meaning: "A caller has cancelled many calls that still run.",
    remedy: "Wait until they have ended.",
  },
  CONNECTION_CLOSED: {
    code: Code.Canceled,
    meaning: "This process closed the connection while the call ran.",
    remedy: "Close clients only after their calls have ended.",
    isLocal: true,
  },
  CONNECTION_LOST: {
    code: Code.Unavailable,
    meaning: "The connection broke before the response was complete.",
    remedy: "Retry if the method is idempotent: the service may have carried the call out.",
  },
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
  DEADLINE_EXCEEDED: {
    code: Code.DeadlineExceeded,
    meaning: "The deadline of the call passed before it was answered.",
    remedy: "Retry if the method is idempotent, or allow more time.",
    isLocal: true,
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
  GATEWAY_FAILED: {
    code: Code.Internal,
    meaning: "The gateway failed while it handled a request.",
    remedy: "The log of the gateway has the error.",
  },
  HANDLER_FAILED: {
    code: Code.Internal,
    meaning: "A handler threw something other than a `ConnectError`.",
    remedy: "The service's log has the error. Throw a `ConnectError` for what callers should know.",
  },
  HEADER_INVALID: {
    code: Code.InvalidArgument,
    meaning: "A header of a REST request cannot be passed on as metadata.",
    remedy: "Correct the header that the message names.",
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
  INCOMPLETE_MESSAGES_OVER_LIMIT: {
    code: Code.ResourceExhausted,
    meaning: "Messages on their way to a service have too many bytes before they are complete.",
    remedy: "Send fewer long messages at once.",
  },
  KEY_IMMUTABLE: {
    code: Code.InvalidArgument,
    meaning: "An update would change the key of a row.",
    remedy: "Create a row with the new key.",
  },
  MESSAGE_COUNT_WRONG: {
    code: Code.Unimplemented,
    meaning: "A unary method got no message, or more than one, as its request or its response.",
    remedy: "Generate client and server from the same contract.",
    isLocal: true,
  },
  MESSAGE_NOT_WRITABLE: {
    code: Code.Internal,
    meaning: "A message cannot be written: a field has a value that its type cannot hold.",
    remedy: "Correct the field that the message names.",
    isLocal: true,
  },
  MESSAGE_TOO_LARGE: {
    code: Code.ResourceExhausted,
    meaning: "A request or a response is longer than its reader allows.",
    remedy: "Send less at once, or raise `MAX_REQUEST_BYTES` or `MAX_RESPONSE_BYTES`.",
    isLocal: true,
  },
  MESSAGE_TOO_SLOW: {
    code: Code.DeadlineExceeded,
    meaning: "A message of a stream took too long to arrive.",
    remedy: "Send each message without pauses.",
  },
  METHOD_NOT_FOUND: {
    code: Code.Unimplemented,
    meaning: "The service has no method at this path.",
    remedy: "Deploy a version of the service that has it.",
    isLocal: true,
  },
  METHOD_NOT_IMPLEMENTED: {
    code: Code.Unimplemented,
    meaning: "A deferred write is for a method that the service no longer has.",
    remedy: "Deploy a version of the service that has it.",
  },
  PATH_NOT_FOUND: {
    code: Code.NotFound,
    meaning: "The gateway has no route at this path.",
    remedy: "Correct the path. The contract's `google.api.http` options define the routes.",
  },
  PROTOCOL_VIOLATED: {
    code: Code.Internal,
    meaning: "A frame of a message is not what gRPC allows.",
    remedy: "Check the peer's gRPC library, and the proxies between the two.",
    isLocal: true,
  },
  REFERENCE_VIOLATED: {
    code: Code.FailedPrecondition,
    meaning: "A row refers to one that does not exist, or other rows still refer to this one.",
    remedy: "Create the row that is referred to first; delete the rows that refer to another before it.",
  },
  REQUEST_INVALID: {
    code: Code.InvalidArgument,
    meaning: "A field of the request breaks a rule. `google.rpc.BadRequest` names the fields.",
    remedy: "Correct the fields.",
  },
  REQUEST_IN_PROGRESS: {
    code: Code.Aborted,
    meaning: "A request with the same idempotency key ran at the same time.",
    remedy: "Retry with the same key.",
  },
  REQUEST_MALFORMED: {
    code: Code.InvalidArgument,
    meaning: "A request has no valid message, or its URL, deadline or protocol version cannot be read.",
    remedy: "Send the request with a generated client, or correct what the message names.",
    isLocal: true,
  },
  RESPONSES_NOT_READ: {
    code: Code.ResourceExhausted,
    meaning: "Too many responses wait on a connection whose caller does not read them.",
    remedy: "Read responses, or use more connections.",
  },
  RESPONSE_INVALID: {
    code: Code.Internal,
    meaning: "A response, or a detail of an error, has a string that is not valid Unicode.",
    remedy: "The message names the field. Correct the handler.",
  },
  RESPONSE_MALFORMED: {
    code: Code.Internal,
    meaning: "A peer sent a response that is not valid gRPC or not a valid message.",
    remedy: "Generate client and server from the same contract.",
    isLocal: true,
  },
  RESPONSE_NOT_GRPC: {
    code: Code.Unknown,
    meaning: "A peer responded with something other than gRPC.",
    remedy: "Check the address: a proxy or a web server may be there.",
    isLocal: true,
  },
  ROWS_TOO_LARGE: {
    code: Code.ResourceExhausted,
    meaning: "The rows of one batch have more bytes than are read at once.",
    remedy: "Ask for fewer rows.",
  },
  ROW_ALREADY_EXISTS: {
    code: Code.AlreadyExists,
    meaning: "Another row has the same key or the same unique values.",
    remedy: "Get the row that exists, or choose other values.",
  },
  ROW_NOT_DELETED: {
    code: Code.AlreadyExists,
    meaning: "A row was to be undeleted and is not deleted.",
    remedy: "Nothing: the row can be used.",
  },
  ROW_NOT_FOUND: {
    code: Code.NotFound,
    meaning: "No row has the key. The message names up to ten keys.",
    remedy: "Check the key. Create the row first, if it should exist.",
  },
  RULE_NOT_EVALUABLE: {
    code: Code.Internal,
    meaning: "A `buf.validate` rule of the contract cannot be evaluated.",
    remedy: "Correct the rule that the message names.",
  },
  SAGA_NOT_FOUND: {
    code: Code.NotFound,
    meaning: "No saga has the id, or its retention is over.",
    remedy: "Check the id. `scaffold sagas list` shows the sagas that have not ended.",
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
    remedy: "Correct the name, or leave it empty for the readiness of the process.",
  },
  SERVICE_UNREACHABLE: {
    code: Code.Unavailable,
    meaning: "A service cannot be connected to, or its certificate is not trusted.",
    remedy: "Retry. Operators check the service and the variable with its address.",
  },
  STATEMENT_TIMEOUT: {
    code: Code.DeadlineExceeded,
    meaning: "The database did not complete a statement in time, or a row stayed locked.",
    remedy: "Retry if the method is idempotent.",
  },
  STREAM_RESET: {
    code: Code.Internal,
    meaning: "A peer reset the stream of the call. The code follows from the HTTP/2 error code, as gRPC defines it.",
    remedy: "The message has the HTTP/2 error code (RFC 9113, section 7). Retry if the method is idempotent.",
    isLocal: true,
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
    remedy: "Send a value that the column can hold.",
  },
  VALUE_NOT_STORABLE: {
    code: Code.Internal,
    meaning: "A handler wrote a value that the database cannot keep.",
    remedy: "The message names the field. Correct the handler.",
  },
  VERB_NOT_ALLOWED: {
    code: Code.Unimplemented,
    meaning: "The path is served, but not with this HTTP method.",
    remedy: "`Allow` names the methods.",
  },
} as const satisfies Readonly<Record<string, ErrorEntry>>);

/** The reason of an error of the runtime, as `google.rpc.ErrorInfo` has it. */
export type Reason = keyof typeof catalogue;
