/** The variables that the supervisor alone sets for a process. */
const own = [
  "PORT",
  "HOST",
  "DATABASE_URL",
  "DATABASE_REPLICA_URLS",
  "JOURNAL_DIR",
  "MIGRATE",
  "TLS_CERT_FILE",
  "TLS_KEY_FILE",
  "TLS_CLIENT_CA_FILE",
  "TLS_CA_FILE",
];

/** Returns the environment of a service or gateway: the supervisor's, such as LOG_LEVEL, with its port, database and peers. */
export function processEnvironment(
  port: number,
  peers: readonly string[],
  ports: ReadonlyMap<string, number>,
  data: { readonly database: string; readonly journal: string; readonly broker: string | undefined } | undefined,
): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(([name]) => !own.includes(name) && !name.startsWith("npm_"));
  return {
    // BROKER_URL selects an external broker.
    ...(data?.broker === undefined ? {} : { BROKER_URL: data.broker }),
    ...Object.fromEntries(inherited),
    PORT: String(port),
    HOST: "127.0.0.1",
    ...(data === undefined ? {} : { DATABASE_URL: data.database, JOURNAL_DIR: data.journal, MIGRATE: "on" }),
    ...Object.fromEntries(peers.map((peer) => [addressVariable(peer), `http://127.0.0.1:${ports.get(peer)}`])),
  };
}

/** Returns the variable with a service's URL, as the runtime reads it: "orders" -> `ORDERS_URL`. */
function addressVariable(name: string): string {
  return `${name.replaceAll("-", "_").toUpperCase()}_URL`;
}

/** Returns the drain timeout of processes: `DRAIN_TIMEOUT_MS`, which they read themselves. Default: 10 s. */
export function drainTimeout(): number {
  const text = process.env.DRAIN_TIMEOUT_MS?.trim();
  return text && /^\d+$/.test(text) ? Number(text) : 10_000;
}
