import { connect, createServer, type Server, type Socket } from "node:net";

/** Where a connection can be passed on to. */
export interface Backend {
  readonly port: number;
  /** Asked at every connection. */
  healthy(): boolean;
}

/**
 * Passes TCP connections on to the healthy backend that has the fewest, whatever is spoken on them. A backend that refuses
 * is skipped for the next one; if none takes a connection, it is reset.
 */
export class LoadBalancer {
  readonly #server: Server;
  readonly #backends: readonly { backend: Backend; connections: Set<Socket> }[];
  readonly #clients = new Set<Socket>();

  constructor(backends: readonly Backend[]) {
    this.#backends = backends.map((backend) => ({ backend, connections: new Set() }));
    // One side may have said all it has to say while the other still answers, so each end is passed on by itself.
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => this.#accept(client));
  }

  /** Listens on 127.0.0.1. Rejects with the system's error, EADDRINUSE for a port that is another's. */
  listen(port: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(port, "127.0.0.1", () => {
        this.#server.off("error", reject);
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
    this.#clients.add(client);
    client.once("close", () => this.#clients.delete(client));
    // Until a backend is there, a client that goes away is no one's trouble.
    client.on("error", () => client.destroy());
    const tried = new Set<Backend>();
    while (!client.destroyed) {
      const next = this.#backends
        .filter(({ backend }) => backend.healthy() && !tried.has(backend))
        .sort((a, b) => a.connections.size - b.connections.size)[0];
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
        join(client, upstream);
        return;
      }
    }
  }
}

function connected(socket: Socket): Promise<boolean> {
  return new Promise((resolve) => {
    socket.once("connect", () => resolve(true));
    socket.once("error", () => resolve(false));
  });
}

/** Passes on everything between two sockets: bytes, each side's end by itself, and a failure at once. */
function join(client: Socket, upstream: Socket): void {
  for (const [one, other] of [
    [client, upstream],
    [upstream, client],
  ] as const) {
    // A peer that vanished without a word (a laptop's lid) is noticed in the end.
    one.setKeepAlive(true, 30_000);
    one.on("error", () => other.destroy());
    one.on("close", () => {
      // Closed before it had ended: the other side must not take what it got for the whole.
      if (!one.readableEnded) other.destroy();
    });
    one.pipe(other);
  }
  // It may have gone while the backend was being reached.
  if (client.destroyed) upstream.destroy();
}
