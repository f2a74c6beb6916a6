import { processVariables } from "../../runtime/config/process-variables.js";
import type { EnvironmentVariable, Variables } from "../../runtime/config/variables.js";
import { gatewayVariables } from "../../runtime/gateway/environment.js";
import { serviceVariables } from "../../runtime/service/environment.js";

/** Returns the page docs/reference/environment.md: every variable that services, gateways and the tool read. */
export function environmentPage(): string {
  const common = new Set<unknown>(Object.values(processVariables));
  const own = (variables: Variables<never>) =>
    Object.fromEntries(Object.entries(variables).filter(([, row]) => !common.has(row)));
  return [
    intro,
    `## Services and gateways\n\n${table(processVariables)}`,
    `## Services\n\n${table(own(serviceVariables))}`,
    `## Gateways\n\n${table(own(gatewayVariables))}`,
    tool,
  ].join("\n");
}

function table(variables: Variables<never>): string {
  const rows = Object.entries(variables).map(([name, row]) =>
    [`\`${row.each?.pattern ?? name}\``, meaningOf(name, row), row.reader.expected, askedOf(row), defaultOf(row)].join(
      " | ",
    ),
  );
  return `| variable | meaning | value | asked for | default |\n| --- | --- | --- | --- | --- |\n| ${rows.join(" |\n| ")} |\n`;
}

function meaningOf(name: string, { meaning }: EnvironmentVariable<never>): string {
  const page = pages[name];
  return page === undefined ? meaning : `${meaning} See [${page[0]}](${page[1]}).`;
}

function askedOf({ each, askedIf }: EnvironmentVariable<never>): string {
  if (each !== undefined) return `for ${each.text}`;
  return askedIf === undefined ? "always" : `if ${askedIf.text}`;
}

function defaultOf({ reader, unset }: EnvironmentVariable<never>): string {
  if (unset !== undefined) return unset;
  if (reader.fallback === undefined) return "required";
  const { value } = reader.fallback;
  if (typeof value === "boolean") return value ? "on" : "off";
  return String(value) || "none";
}

/** Links to further documentation. */
const pages: Readonly<Record<string, readonly [title: string, path: string]>> = {
  ALLOWED_HOSTS: ["Hosts", "../guide/running.md#hosts"],
  TLS_CERT_FILE: ["Use TLS", "../guide/tls.md"],
  DRAIN_TIMEOUT_MS: ["Start and shut down", "../operate/shutdown.md"],
  PROPAGATED_HEADERS: ["Headers that propagate", "../guide/calls.md#headers-that-propagate"],
  DATABASE_REPLICA_URLS: ["Fail over PostgreSQL", "../operate/failover.md"],
  CACHE_URL: ["Caches", "../guide/caches.md#redis"],
  BROKER_URL: ["Choose a broker", "../guide/events.md#choose-a-broker"],
  JOURNAL_DIR: ["Deferred writes", "../guide/deferred-writes.md"],
};

const intro = `# Environment

Services and gateways read these variables at start. An empty variable counts as not set. All faults are reported at once, and no message contains a password. A
value that is set although the process has no use for it is checked all the same.

This page is printed from the tables that the processes read their variables by.
`;

const tool = `## The tool

| variable | meaning | default |
| --- | --- | --- |
| \`PORT\` | where \`scaffold dev\` listens | 8080 |
| \`SCAFFOLD_STATE\` | the [state folder](generated-files.md#the-state-folder), inside the project | \`.scaffold\` |
| \`BROKER_URL\` | the broker of \`scaffold events lag\` | that of \`scaffold dev\` |
| \`NO_COLOR\` | no colours | – |
| \`DEBUG\` | errors with their stack traces | – |
| \`BUF\` | the path of a buf binary | the one of \`@bufbuild/buf\` |
| \`TEST_POSTGRES_URL\` | a PostgreSQL server for [tests](../guide/testing.md), with a user who may create databases | the embedded one |

\`scaffold dev\` passes its environment on to the processes that it starts, without \`PORT\`, \`HOST\`, \`DATABASE_URL\`, \`DATABASE_REPLICA_URLS\`,
\`JOURNAL_DIR\`, \`MIGRATE\` and \`TLS_*\`, which it sets itself or leaves out.
`;
