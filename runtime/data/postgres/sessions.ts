import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { backoffMs } from "../../call/backoff.js";
import type { Backoff } from "../../spec/retry.js";
import { withoutValues } from "./redact.js";

export interface SessionsOptions {
  /** Returns the address, before each attempt. It must not go through a pooler in transaction mode. */
  readonly url: () => Promise<string>;
  /** Further connection options: the name in the server's statistics views, the statement timeout. */
  readonly config: pg.ClientConfig & { readonly application_name: string; readonly query_timeout: number };
  /** Stops the sessions. */
  readonly stop: AbortSignal;
  /** Called after each failure, with the number of consecutive failures before it. */
  failed(error: unknown, before: number): void;
  /** Called after the first success that follows a failure. */
  regained?(): void;
}

/** The lifetime of one connection. */
export interface Session {
  readonly client: pg.Client;
  /** Rejects as soon as the connection is lost. */
  readonly gone: Promise<never>;
  /** Reports success: the next failure is the first of a new series. */
  well(): void;
}

const CONNECT_TIMEOUT_MS = 2000;
const RECONNECT: Backoff = { initialBackoffMs: 100, maxBackoffMs: 5000, backoffMultiplier: 2 };
/** The time to close a connection gracefully; a frozen server does not respond. */
const LEAVE_TIMEOUT_MS = 1000;

/**
 * Runs work over a dedicated connection, and again over a new one whenever the connection is lost or the work fails, with a backoff from
 * 0.1 to 5 seconds. Settles when it is stopped and the work has ended.
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
  // It may not be awaited at this moment.
  gone.catch(() => undefined);
  return gone;
}

async function leave(client: pg.Client): Promise<void> {
  const ended = client.end().catch(() => undefined);
  await Promise.race([ended, sleep(LEAVE_TIMEOUT_MS, undefined, { ref: false })]);
}
