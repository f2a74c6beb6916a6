import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { backoffMs } from "../../call/backoff.js";
import type { Backoff } from "../../spec/retry.js";
import { withoutValues } from "./redact.js";

export interface SessionsOptions {
  /** Where to connect to; asked before each attempt. No pooler that shares connections by transaction. */
  readonly url: () => Promise<string>;
  /** What else the connections are like: their name in the server's own views, the longest that a statement may take. */
  readonly config: pg.ClientConfig & { readonly application_name: string; readonly query_timeout: number };
  /** Ends them. */
  readonly stop: AbortSignal;
  /** Is told of each failure, and how many there were in a row before it. */
  failed(error: unknown, before: number): void;
  /** Is told when all is well again after a failure. */
  regained?(): void;
}

/** The time of one connection. */
export interface Session {
  readonly client: pg.Client;
  /** Rejects as soon as the connection is lost. */
  readonly gone: Promise<never>;
  /** Says that all is well: a failure after that is the first in its row. */
  well(): void;
}

const CONNECT_TIMEOUT_MS = 2000;
const RECONNECT: Backoff = { initialBackoffMs: 100, maxBackoffMs: 5000, backoffMultiplier: 2 };
/** How long a server is given to hear that a connection ends: one that is frozen does not. */
const LEAVE_TIMEOUT_MS = 1000;

/**
 * Does something over a connection of its own, and again over another one whenever that is lost or the work fails, after
 * pauses that grow from 0.1 to 5 seconds. Ends once it is stopped and the work has ended.
 */
export async function inSessions(options: SessionsOptions, work: (session: Session) => Promise<void>): Promise<void> {
  const { url, config, stop, failed, regained } = options;
  let failures = 0;
  const well = () => {
    if (failures > 0) regained?.();
    failures = 0;
  };
  while (!stop.aborted) {
    let client: pg.Client | undefined;
    try {
      client = new pg.Client({
        connectionString: await url(),
        connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
        keepAlive: true,
        ...config,
      });
      const gone = ending(client);
      await client.connect();
      await work({ client, gone, well });
    } catch (error) {
      if (!stop.aborted) failed(withoutValues(error), failures);
      failures++;
    } finally {
      if (client !== undefined) await leave(client);
    }
    await sleep(backoffMs(failures, RECONNECT), undefined, { signal: stop }).catch(() => undefined);
  }
}

function ending(client: pg.Client): Promise<never> {
  const gone = new Promise<never>((_, reject) => {
    client.on("error", reject);
    client.on("end", () => reject(new Error("the connection to the database was lost")));
  });
  // Nobody may be waiting for it just then.
  gone.catch(() => undefined);
  return gone;
}

async function leave(client: pg.Client): Promise<void> {
  const ended = client.end().catch(() => undefined);
  await Promise.race([ended, sleep(LEAVE_TIMEOUT_MS, undefined, { ref: false })]);
}
