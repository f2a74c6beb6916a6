import { connect, createServer, type Server, type Socket } from "node:net";
import { ConnectionLimit } from "@protoscaffold/runtime/server/connection-limit";
import { connectionsAllowed } from "@protoscaffold/runtime/server/descriptors";
import { join, type SilenceLimits, usualLimits } from "./joined-sockets.js";

/** Where a connection can be passed on to. */
export interface Backend {
  readonly port: number;
  /** Asked at every connection. */
  healthy(): boolean;
}

export interface LoadBalancerOptions {
  /** How many connections may be open at once. Default: what the process may open files for, at two each. */
  readonly maxConnections?: number;
  readonly limits?: Partial<SilenceLimits>;
  /** Called with what a person should hear of. */
  readonly report?: (message: string) => void;
}

/** How long a backend may take to accept a connection, before the next is tried. */
const CONNECT_MS = 2_000;

interface Member {
  readonly backend: Backend;
  readonly connections: Set<Socket>;
}

/**
 * Passes TCP connections on to the healthy backend that has the fewest, whatever is spoken on them. One that refuses is
 * skipped for the next, and those that fail their health check come last: they may still serve, and a connection that is
 * reset is surely not served. If none takes a connection, it is reset.
 */
export class LoadBalancer {
  readonly #server: Server;
  readonly #members: readonly Member[];
  readonly #clients = new Set<Socket>();
  readonly #limit: ConnectionLimit;
  readonly #limits: SilenceLimits;
  readonly #report: (message: string) => void;
  /** Whether every backend failed its health check when the last connection came. */
  #allFail = false;

  constructor(backends: readonly Backend[], options: LoadBalancerOptions = {}) {
    const { maxConnections = connectionsAllowed(2), limits, report = () => undefined } = options;
    this.#members = backends.map((backend) => ({ backend, connections: new Set() }));
    this.#limits = { ...usualLimits, ...limits };
    this.#report = report;
    this.#limit = new ConnectionLimit(maxConnections, ({ evicted, refused }) =>
      report(
        `${maxConnections} connections are open: ${evicted} idle ones made room, ${refused} new ones were refused`,
      ),
    );
    // One side may have said all it has to say while the other still answers, so each end is passed on by itself.
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => this.#accept(client));
  }

  /** Listens on 127.0.0.1. Rejects with the system's error, EADDRINUSE for a port that is another's. */
  listen(port: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(port, "127.0.0.1", () => {
        this.#server.off("error", reject);
        // A connection that cannot be accepted is no reason to end.
        this.#server.on("error", (error) => this.#report(`a connection could not be accepted: ${error.message}`));
        resolve();
      });
    });
  }

  /** Stops taking connections. Those that are open stay, and end as backends or clients end them. */
  close(): void {
    this.#server.close();
  }

  /** Cuts every connection that is still open. */
  destroy(): void {
    this.close();
    for (const client of this.#clients) client.destroy();
  }

  async #accept(client: Socket): Promise<void> {
    if (!this.#limit.admit(client)) return;
    this.#clients.add(client);
    client.once("close", () => this.#clients.delete(client));
    // Until a backend is there, a client that goes away is no one's trouble.
    client.on("error", () => client.destroy());
    const tried = new Set<Backend>();
    while (!client.destroyed) {
      const next = this.#next(tried);
      if (next === undefined) {
        client.resetAndDestroy();
        return;
      }
      tried.add(next.backend);
      const upstream = connect({ host: "127.0.0.1", port: next.backend.port, allowHalfOpen: true, noDelay: true });
      // Counted from the first packet on: many connections at once must not all go to the same backend.
      next.connections.add(upstream);
      upstream.once("close", () => next.connections.delete(upstream));
      if (await connected(upstream)) {
        join(client, upstream, this.#limits, () => this.#limit.look(client));
        return;
      }
    }
  }

  #next(tried: ReadonlySet<Backend>): Member | undefined {
    const healthy = this.#members.filter(({ backend }) => backend.healthy());
    this.#tell(healthy.length === 0);
    const left = (members: readonly Member[]) => members.filter(({ backend }) => !tried.has(backend));
    const candidates = left(healthy).length > 0 ? left(healthy) : left(this.#members);
    return candidates.sort((a, b) => a.connections.size - b.connections.size)[0];
  }

  #tell(allFail: boolean): void {
    if (allFail === this.#allFail) return;
    this.#allFail = allFail;
    this.#report(
      allFail
        ? "every backend fails its health check: connections go to all of them, as if none did"
        : "a backend passes its health check again",
    );
  }
}

/** Waits for a connection; one that does not come about is closed. */
function connected(socket: Socket): Promise<boolean> {
  return new Promise((resolve) => {
    socket.once("connect", () => {
      socket.setTimeout(0);
      resolve(true);
    });
    socket.once("error", () => resolve(false));
    socket.once("close", () => resolve(false));
    socket.setTimeout(CONNECT_MS, () => socket.destroy());
  });
}
