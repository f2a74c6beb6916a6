import { connect, createServer, type Server, type Socket } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { testDatabase } from "../../../generator/testing/database.js";
import { inSessions, type Session } from "./sessions.js";

let url: string;
let between: Between;
let stop: AbortController;
let ended: Promise<void> | undefined;
beforeEach(async () => {
  url = await testDatabase();
  between = await Between.to(new URL(url));
  stop = new AbortController();
});
afterEach(async () => {
  stop.abort();
  await ended;
  between.close();
});

/** Stands between a client and its server, and can be where the way ends. */
class Between {
  readonly #sockets = new Set<Socket>();

  private constructor(readonly server: Server) {}

  static async to({ hostname, port }: URL): Promise<Between> {
    const between: Between = new Between(
      createServer((client) => {
        const server = connect(Number(port), hostname);
        for (const socket of [client, server]) {
          between.#sockets.add(socket.on("error", () => undefined));
        }
        client.pipe(server).pipe(client);
      }),
    );
    await new Promise<void>((resolve) => between.server.listen(0, "127.0.0.1", resolve));
    return between;
  }

  url(of: string): string {
    const url = new URL(of);
    url.host = `127.0.0.1:${(this.server.address() as { port: number }).port}`;
    return url.href;
  }

  /** Nothing goes through any more, and nobody hears of an end. */
  freeze(): void {
    for (const socket of this.#sockets) socket.unpipe().pause();
  }

  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  close(): void {
    this.cut();
    this.server.close();
  }
}

/** Sessions that say when they begin; each waits until its connection is gone, or a statement fails. */
function sessions(urls: () => string, failed: (before: number) => void = () => undefined, regained = () => {}) {
  const begun: Session[] = [];
  let tell = () => {};
  const options = {
    url: async () => urls(),
    config: { application_name: "sessions", query_timeout: 100 },
    stop: stop.signal,
    failed: (_error: unknown, before: number) => failed(before),
    regained,
  };
  ended = inSessions(options, async (session) => {
    await session.client.query("SELECT 1");
    session.well();
    begun.push(session);
    tell();
    const stopped = new Promise<void>((resolve) => stop.signal.addEventListener("abort", () => resolve()));
    await Promise.race([session.gone, stopped]);
  });
  return {
    /** Ends with the nth session, once that has begun. */
    async nth(n: number): Promise<Session> {
      while (begun.length < n) {
        await new Promise<void>((resolve) => {
          tell = resolve;
        });
      }
      return begun[n - 1] as Session;
    },
  };
}

test("comes back when its connection is lost, to where the database is then", async () => {
  const addresses: string[] = [];
  const open = sessions(() => {
    addresses.push(between.url(url));
    return addresses.at(-1) as string;
  });
  await open.nth(1);
  between.cut();
  const { client } = await open.nth(2);
  expect((await client.query("SHOW application_name")).rows).toEqual([{ application_name: "sessions" }]);
  expect(addresses.length).toBeGreaterThanOrEqual(2);
});

test("does not wait for a server that is frozen to hear of the end", async () => {
  let address = between.url(url);
  const open = sessions(() => address);
  const { client } = await open.nth(1);
  address = url;
  between.freeze();
  client.emit("error", new Error("somebody has given up on it"));
  await open.nth(2);
});

test("tells of failures by their place in the row, and when all is well again", async () => {
  const told: (number | "well")[] = [];
  let address = "postgres://127.0.0.1:1/nowhere";
  const open = sessions(
    () => address,
    (before) => {
      told.push(before);
      if (before === 2) address = between.url(url);
    },
    () => told.push("well"),
  );
  await open.nth(1);
  expect(told).toEqual([0, 1, 2, "well"]);
  between.cut();
  await open.nth(2);
  expect(told).toEqual([0, 1, 2, "well", 0, "well"]);
});
