import { Code } from "@connectrpc/connect";
import { catalogue, type ErrorEntry } from "../../runtime/errors/catalogue.js";

/** Returns the page docs/reference/errors.md: the codes, and the reasons of the runtime's catalogue. */
export function errorsPage(): string {
  const rows = Object.entries<ErrorEntry>(catalogue).map(
    ([reason, { code, meaning, remedy, isLocal }]) =>
      `| \`${reason}\`${isLocal ? " *" : ""} | ${nameOf(code)} | ${meaning} | ${remedy} |`,
  );
  return `${intro}\n| reason | code | meaning | what to do |\n| --- | --- | --- | --- |\n${rows.join("\n")}\n`;
}

/** Returns a code as Protobuf spells it. */
function nameOf(code: Code): string {
  // Connect's name has one L, google.rpc.Code's has two.
  if (code === Code.Canceled) return "CANCELLED";
  return Code[code].replace(/(?<=[a-z])(?=[A-Z])/g, "_").toUpperCase();
}

const intro = `# Errors

Every error has a gRPC code and a message. Over gRPC, gRPC-Web and Connect it is sent as the protocol says. Over REST the body is a
\`google.rpc.Status\`:

\`\`\`json
{
  "code": 5,
  "message": "no Order \\"nobody\\"",
  "details": [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "ROW_NOT_FOUND", "domain": "protoscaffold"}]
}
\`\`\`

| code | number | HTTP | the runtime uses it for |
| --- | ---: | ---: | --- |
| CANCELLED | 1 | 499 | the caller cancelled |
| UNKNOWN | 2 | 500 | – |
| INVALID_ARGUMENT | 3 | 400 | a malformed request, a violated \`buf.validate\` rule or CHECK constraint; \`google.rpc.BadRequest\` names the fields |
| DEADLINE_EXCEEDED | 4 | 504 | the deadline of the caller or the method's \`timeout_ms\` passed |
| NOT_FOUND | 5 | 404 | a row that does not exist |
| ALREADY_EXISTS | 6 | 409 | a key or a unique value that is taken |
| PERMISSION_DENIED | 7 | 403 | – |
| RESOURCE_EXHAUSTED | 8 | 429 | a [limit](limits.md); over REST 413 for a body over 4 MiB |
| FAILED_PRECONDITION | 9 | 400 | a foreign key; a call that its compensation has already undone |
| ABORTED | 10 | 409 | an etag that is out of date |
| OUT_OF_RANGE | 11 | 400 | – |
| UNIMPLEMENTED | 12 | 501 | a method or an HTTP method that the server does not have |
| INTERNAL | 13 | 500 | a handler that threw something other than a \`ConnectError\`, or returned something other than its response |
| UNAVAILABLE | 14 | 503 | a service or a database that cannot be reached, with \`google.rpc.RetryInfo\`; a process that drains |
| DATA_LOSS | 15 | 500 | – |
| UNAUTHENTICATED | 16 | 401 | – |

Codes with a dash are the application's own. HTTP has some more exact statuses before a request becomes a call: 405 with \`Allow\`, 408, 413,
414, 415, 421, 431, 501.

A handler throws \`ConnectError\` with a code and a message for the caller. Anything else that it throws is logged, and the caller gets
INTERNAL without its text.

Database errors name the table, the columns, the constraint and the SQLSTATE, and never a value, in logs and wherever else they are stored.
The embedded PostgreSQL's own log, \`postgres.log\`, contains the statements that it refused.

## Reasons

Every error that the runtime makes has a stable reason (AIP-193): a \`google.rpc.ErrorInfo\` among its details, with the domain
\`protoscaffold\`. Errors that gRPC itself defines by their code alone are sent without details. The process that made one still knows its
reason, which has an asterisk below; a method that is not implemented has none. Compare reasons; messages are for people and may change.
\`reasonOf(error)\` of \`@protoscaffold/runtime/errors\` returns the reason of an error that a call has thrown:

\`\`\`ts
import { reasonOf } from "@protoscaffold/runtime/errors";

if (reasonOf(error) === "ETAG_MISMATCH") return readAgain();
\`\`\`

Errors of handlers have the application's own reasons, in a domain of its own. This table is printed from the catalogue in the source.
`;
