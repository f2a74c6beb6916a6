import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { type ActiveCall, activeCall } from "../../call/active-call.js";

/** The time that the server has to cancel a statement before its connection is closed. */
const CANCEL_MS = 2000;
/** The delay before a cancel request is repeated; it doubles each time. */
const AGAIN_MS = 50;

/** Properties of pg's connection that its types omit. */
interface Internals {
  readonly processID: number;
  readonly secretKey: number;
  readonly ssl: pg.ConnectionConfig["ssl"];
  readonly connection?: { readonly stream?: { destroy(): void; readonly destroyed: boolean } };
}
type Canceller = pg.Connection & {
  connect(port: number, host: string): void;
  requestSsl(): void;
  cancel(processId: number, secretKey: number): void;
  readonly stream: { destroy(): void };
};

/** Returns the socket of a connection. */
export function streamOf(client: pg.ClientBase): { destroy(): void; readonly destroyed: boolean } | undefined {
  return (client as unknown as Internals).connection?.stream;
}

/**
 * Runs a statement of the active call on a connection that is exclusive meanwhile. If the call is cancelled, the statement is cancelled on
 * the server. Settles when the connection can be reused, or is closed.
 */
export async function runCancellable<T>(client: pg.ClientBase, run: () => Promise<T>): Promise<T> {
  const call = activeCall();
  if (call === undefined) return run();
  let cancellation: Cancellation | undefined;
  const unlisten = call.onCancel(() => {
    cancellation = new Cancellation(client);
  });
  try {
    return await run();
  } catch (error) {
    throw call.cancelled ?? error;
  } finally {
    unlisten();
    await cancellation?.settled();
  }
}

/** Waits for a connection, but no longer than the call lasts. A connection that arrives later is returned to the pool. */
export function takeWithin(call: ActiveCall, connecting: Promise<pg.PoolClient>): Promise<pg.PoolClient> {
  return new Promise((resolve, reject) => {
    const unlisten = call.onCancel((reason) => {
      reject(reason);
      connecting.then(
        (client) => client.release(),
        () => undefined,
      );
    });
    connecting.then(
      (client) => {
        if (call.cancelled !== undefined) return;
        unlisten();
        resolve(client);
      },
      (error) => {
        unlisten();
        reject(error);
      },
    );
  });
}

/**
 * Sends cancel requests for the statement that a connection runs (PostgreSQL, protocol-flow, "Canceling Requests in Progress") until it
 * has ended: the server ignores a request that overtakes its statement.
 */
export class Cancellation {
  readonly #client: pg.ClientBase;
  readonly #ended = new AbortController();
  readonly #sent: Promise<boolean>;
  readonly #late: NodeJS.Timeout;

  constructor(client: pg.ClientBase) {
    this.#client = client;
    this.#sent = this.#send();
    this.#late = setTimeout(() => streamOf(client)?.destroy(), CANCEL_MS);
  }

  /**
   * Call this when the statement has ended. Resolves when no request can cancel the next statement: the server signals the backend process
   * before it closes the connection of the cancel request. Otherwise the statement's connection is closed.
   */
  async settled(): Promise<void> {
    this.#ended.abort();
    if (!(await this.#sent)) streamOf(this.#client)?.destroy();
    clearTimeout(this.#late);
  }

  /** Sends requests until the statement has ended. Returns false if it is unknown whether the server has received one. */
  async #send(): Promise<boolean> {
    const { signal } = this.#ended;
    for (let delayMs = AGAIN_MS; ; delayMs *= 2) {
      if (!(await send(this.#client))) return false;
      await sleep(delayMs, undefined, { signal, ref: false }).catch(() => undefined);
      if (signal.aborted) return true;
    }
  }
}

/** Sends a cancel request, and waits until the server closes its connection. Returns false if it may not have arrived. */
function send(client: pg.ClientBase): Promise<boolean> {
  const { processID, secretKey, ssl } = client as unknown as Internals;
  const { host, port } = client as pg.Client;
  return new Promise((resolve) => {
    const connection = new pg.Connection({ ssl } as pg.ConnectionConfig) as Canceller;
    let sent = false;
    const cancel = () => {
      sent = true;
      connection.cancel(processID, secretKey);
    };
    const over = (heard: boolean) => {
      clearTimeout(late);
      connection.stream.destroy();
      resolve(heard);
    };
    const late = setTimeout(() => over(false), CANCEL_MS);
    connection.on("connect", () => (ssl ? connection.requestSsl() : cancel()));
    connection.on("sslconnect", cancel);
    connection.on("error", () => over(false));
    connection.on("end", () => over(sent));
    if (host.startsWith("/")) (connection as unknown as UnixConnection).connect(`${host}/.s.PGSQL.${port}`);
    else connection.connect(port, host);
  });
}

interface UnixConnection {
  connect(path: string): void;
}
