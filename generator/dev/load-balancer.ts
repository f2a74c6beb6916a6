import { connect, createServer, type Server, type Socket } from "node:net";
import { ConnectionLimit } from "@protoscaffold/runtime/server/connection-limit";
import { connectionsAllowed } from "@protoscaffold/runtime/server/descriptors";
import { join, type SilenceLimits, usualLimits } from "./joined-sockets.js";

/** A backend to which connections are forwarded. */
export interface Backend {
  readonly port: number;
  /** Called for every connection. */
  healthy(): boolean;
}

export interface LoadBalancerOptions {
  /** The limit of open connections. Default: half the process's limit of open files, as each needs two. */
  readonly maxConnections?: number;
  readonly limits?: Partial<SilenceLimits>;
  /** Called with messages for the user. */
  readonly report?: (message: string) => void;
}

/** The time limit of a backend to accept a connection, before the next is tried. */
const CONNECT_MS = 2_000;

interface Member {
  readonly backend: Backend;
  readonly connections: Set<Socket>;
}

/**
 * Forwards TCP connections to the healthy backend with the fewest connections, independent of the protocol. Skips backends that
 * refuse, and tries unhealthy ones last: they may still serve, while a reset connection certainly fails. Resets a connection if
 * no backend accepts it.
 */
export class LoadBalancer {
  readonly #server: Server;
  readonly #members: readonly Member[];
  readonly #clients = new Set<Socket>();
  readonly #limit: ConnectionLimit;
  readonly #limits: SilenceLimits;
  readonly #report: (message: string) => void;
  /** Whether all backends were unhealthy at the last connection. */
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
    // One side may end while the other still sends, so each end is forwarded separately.
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => this.#accept(client));
  }

  /** Listens on 127.0.0.1. Rejects with the system's error: EADDRINUSE for a port in use. */
  listen(port: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(port, "127.0.0.1", () => {
        this.#server.off("error", reject);
        // A connection that cannot be accepted must not end the process.
        this.#server.on("error", (error) => this.#report(`a connection could not be accepted: ${error.message}`));
        resolve();
      });
    });
  }

  /** Stops accepting connections. Open ones stay until backends or clients end them. */
  close(): void {
    this.#server.close();
  }

  /** Resets every open connection. */
  destroy(): void {
    this.close();
    for (const client of this.#clients) client.destroy();
  }

  async #accept(client: Socket): Promise<void> {
    if (!this.#limit.admit(client)) return;
    this.#clients.add(client);
    client.once("close", () => this.#clients.delete(client));
    // Before a backend is connected, a client's failure needs no reaction.
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
      // Count it before it is connected: many simultaneous connections must not all go to one backend.
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

/** Waits for a connection. Closes it if it fails. */
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
