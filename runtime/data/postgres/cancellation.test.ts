import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { Code, ConnectError, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import { type SQL, sql } from "drizzle-orm";
import pg from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { createParcelServiceClient } from "../../../generator/testdata/parcels/expected/generated/contract_client.js";
import { parcelService } from "../../../generator/testdata/parcels/expected/generated/contract_service.js";
import { testDatabase } from "../../../generator/testing/database.js";
import { execute } from "../../../generator/testing/tables.js";
import { ActiveCall, runAs } from "../../call/active-call.js";
import { createLogger } from "../../observe/log.js";
import { createServerAdapter } from "../../server/adapter.js";
import { type Listener, listen } from "../../server/listen.js";
import { assemble } from "../../service/assemble.js";
import { createParcels } from "../../testing/parcels.js";
import { CacheMetrics } from "../cache/metrics.js";
import { type Data, openData } from "../data.js";

const CONNECTIONS = 2;
const sleeping = sql`select pg_sleep(60)`;
const forever = new Promise<never>(() => undefined);

/** What a handler does with the parcel "1", by the place that it is to be moved to. */
const desk = parcelService({
  handlers: (service) => ({
    findParcel: ({ id }) => service.parcels.get(id),
    moveParcel: ({ id, place }, context) => {
      const work: Record<string, () => Promise<object>> = {
        transaction: () =>
          service.transaction(context, async (tx) => {
            await tx.parcels.update(id, { place });
            await tx.db.execute(sleeping);
            return {};
          }),
        once: () =>
          service.once(context, async (tx) => {
            await tx.parcels.update(id, { place });
            await tx.db.execute(sleeping);
            return {};
          }),
        "several statements at once": () =>
          service.transaction(context, async (tx) => {
            await Promise.all([1, 2, 3].map(() => tx.db.execute(sleeping)));
            return {};
          }),
        "a transaction that waits for something else": () =>
          service.transaction(context, async (tx) => {
            await tx.parcels.update(id, { place });
            return forever;
          }),
        "an error that is caught": () =>
          service.transaction(context, async (tx) => {
            await tx.db.execute(sleeping).catch(() => undefined);
            await tx.parcels.update(id, { place });
            return {};
          }),
        "what was committed before": async () => {
          await service.parcels.update("2", { place });
          return service.transaction(async (tx) => {
            await tx.db.execute(sleeping);
            return {};
          });
        },
        "a clock that jumps": async () => {
          vi.useFakeTimers({ toFake: ["Date"] });
          vi.setSystemTime(Date.now() + 40 * 24 * 3600 * 1000);
          // Longer than a server lets a statement go on after its call's time.
          return service.transaction(context, async (tx) => {
            await tx.db.execute(sql`select pg_sleep(0.8)`);
            return tx.parcels.update(id, { place });
          });
        },
        "a plain statement": () => service.parcels.update("locked", { place }),
      };
      return work[place]!();
    },
  }),
});
const ways = [
  "transaction",
  "once",
  "several statements at once",
  "a transaction that waits for something else",
  "an error that is caught",
  "what was committed before",
  "a plain statement",
];

let url: string;
let watcher: pg.Client;
let locker: pg.Client;

beforeAll(async () => {
  url = await testDatabase();
  await createParcels(url);
  watcher = new pg.Client({ connectionString: url });
  locker = new pg.Client({ connectionString: url });
  await Promise.all([watcher.connect(), locker.connect()]);
});
afterAll(() => Promise.all([watcher.end(), locker.end()]));

/** What the service's connections do, without those that do nothing. */
async function busy(): Promise<string[]> {
  const { rows } = await watcher.query<{ what: string }>(
    `SELECT state || ': ' || query AS what FROM pg_stat_activity WHERE application_name = 'parcels' AND state <> 'idle'`,
  );
  return rows.map(({ what }) => what);
}

const quiet = () => expect.poll(busy, { timeout: 5000, interval: 10 }).toEqual([]);
const isBusy = (count: number) => expect.poll(async () => (await busy()).length, { timeout: 5000 }).toBe(count);

async function places(): Promise<Record<string, string | null>> {
  const { rows } = await watcher.query<{ id: string; place: string | null }>(`SELECT id, place FROM parcels`);
  return Object.fromEntries(rows.map(({ id, place }) => [id, place]));
}

/** Runs something while another session holds the row "locked". */
async function whileLocked(run: () => Promise<void>): Promise<void> {
  await locker.query("BEGIN");
  await locker.query(`SELECT FROM parcels WHERE id = 'locked' FOR UPDATE`);
  try {
    await run();
  } finally {
    await locker.query("ROLLBACK");
  }
}

const reset = `TRUNCATE parcels, scaffold_requests; INSERT INTO parcels (id, place, moves, state) SELECT id, 'here', 0, 0 FROM unnest(ARRAY['1', '2', 'locked']) AS id`;

describe.each([
  { protocol: "gRPC on our own transport", transport: "native", ways },
  { protocol: "gRPC on node:http2", transport: "node", ways: ["transaction", "a plain statement"] },
  { protocol: "Connect", transport: "native", ways: ["once", "a plain statement"] },
] as const)("over $protocol, when a call ends", ({ protocol, transport, ways }) => {
  let data: Data;
  let listener: Listener;
  let expired: AbortController;
  let client: ReturnType<typeof createParcelServiceClient>;

  beforeEach(async () => {
    await execute(url, reset);
    const { name, entities } = desk.spec;
    data = openData({ url, service: name, entities, maxConnections: CONNECTIONS });
    expired = new AbortController();
    const log = createLogger({ name, level: "silent" });
    const routes = assemble(desk, {
      data,
      peers: {},
      log,
      metrics: new CacheMetrics(),
      draining: new AbortController().signal,
    });
    const handlers = createServerAdapter({ routes, transport, shutdownSignal: expired.signal });
    listener = await listen({ ...handlers, host: "127.0.0.1", port: 0 });
    const baseUrl = `http://127.0.0.1:${listener.port}`;
    const options = { baseUrl, useBinaryFormat: true };
    const channel: Transport =
      protocol === "Connect"
        ? createConnectTransport({ ...options, httpVersion: "1.1" })
        : createGrpcTransport({ ...options });
    client = createParcelServiceClient({ transport: channel });
  });
  afterEach(async () => {
    await listener.drain(0);
    await data.close();
  });

  const codeOf = (call: Promise<unknown>) =>
    call.then(
      () => "answered",
      (error) => Code[ConnectError.from(error).code],
    );
  /** As many calls as there are connections. */
  const occupy = (place: string, options: object) =>
    Promise.all(
      Array.from({ length: CONNECTIONS }, (_, index) =>
        codeOf(client.moveParcel({ id: String(index + 1), place, requestId: `${place} ${index}` }, options)),
      ),
    );
  /** Others are served, nothing is left of the calls, and nothing of what they had not committed. */
  async function expectServed(place: string): Promise<void> {
    expect(await client.findParcel({ id: "1" })).toMatchObject({ id: "1" });
    await quiet();
    const kept = place === "what was committed before" ? place : "here";
    expect(await places()).toEqual({ 1: "here", 2: kept, locked: "here" });
  }

  test.each(ways)("by its deadline, its connection is free: %s", (place) =>
    whileLocked(async () => {
      expect(await occupy(place, { timeoutMs: 100 })).toEqual(Array(CONNECTIONS).fill("DeadlineExceeded"));
      await expectServed(place);
    }),
  );

  test.each(ways)("by its caller, its connection is free: %s", (place) =>
    whileLocked(async () => {
      const caller = new AbortController();
      const calls = occupy(place, { signal: caller.signal });
      await isBusy(CONNECTIONS);
      caller.abort();
      expect(await calls).toEqual(Array(CONNECTIONS).fill("Canceled"));
      await expectServed(place);
    }),
  );

  test("by a drain, its connection is free", async () => {
    const calls = occupy("transaction", {});
    await isBusy(CONNECTIONS);
    expired.abort(new ConnectError("the server is shutting down", Code.Unavailable));
    expect(await calls).toEqual(Array(CONNECTIONS).fill("Unavailable"));
    await quiet();
  });

  test("it has the time that it had before the wall clock was set ahead", async () => {
    try {
      await client.moveParcel({ id: "1", place: "a clock that jumps" }, { timeoutMs: 60_000 });
      expect(await places()).toMatchObject({ 1: "a clock that jumps" });
    } finally {
      vi.useRealTimers();
    }
  });
});

/** Starts a relay before a database that can hold a statement back until a cancel request has overtaken it. */
async function startRelay(to: string) {
  const { hostname, port } = new URL(to);
  const sockets: Socket[] = [];
  let onHeld: (() => void) | undefined;
  let gate: Promise<void> | undefined;
  let open = () => {};
  const relay = { url: "", cancelRequests: 0, holdUntilCancelled, stop };
  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname);
    for (const socket of [client, upstream]) sockets.push(socket.on("error", () => undefined));
    upstream.pipe(client);
    client.on("close", () => upstream.destroy());
    client.on("data", async (chunk: Buffer) => {
      if (chunk.length === 16 && chunk.readInt32BE(4) === CANCEL_REQUEST) {
        relay.cancelRequests++;
        upstream.once("close", () => open());
      } else if (gate !== undefined) {
        onHeld?.();
        await gate;
      }
      upstream.write(chunk);
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");

  /** Holds back what comes next. Returns when something is held. */
  function holdUntilCancelled(): { held: Promise<void> } {
    gate = new Promise((resolve) => {
      open = () => {
        gate = undefined;
        resolve();
      };
    });
    return { held: new Promise((resolve) => (onHeld = resolve)) };
  }
  function stop(): void {
    server.close();
    for (const socket of sockets) socket.destroy();
  }
  const relayed = new URL(to);
  relayed.host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  relay.url = relayed.href;
  return relay;
}

/** The code of a CancelRequest, PostgreSQL's protocol-message-formats. */
const CANCEL_REQUEST = 80877102;

describe("a database with one connection", () => {
  let data: Data;
  const reason = new ConnectError("the caller left", Code.Canceled);

  beforeEach(async () => {
    await execute(url, reset);
    const { name, entities } = desk.spec;
    data = openData({ url, service: name, entities, maxConnections: 1 });
  });
  afterEach(() => data.close());

  const run = async (statement: SQL) => await data.db.execute(statement);
  const one = () => run(sql`select 1 as one`);

  test("a call does not wait for a connection when it is cancelled, and runs nothing once there is one", async () => {
    const call = new ActiveCall({});
    let release = () => {};
    const holding = data.transaction(async (tx) => {
      await tx.db.execute(sql`select 1`);
      await new Promise<void>((resolve) => (release = resolve));
    });
    await isBusy(1);
    const waiting = runAs(call, () => run(sql`update parcels set place = 'late'`));
    const inTransaction = runAs(call, () =>
      data.transaction((tx) => tx.db.execute(sql`update parcels set place = 'late'`)),
    );
    call.cancel(reason);
    await expect(waiting).rejects.toMatchObject({ cause: reason });
    await expect(inTransaction).rejects.toBe(reason);
    await expect(runAs(call, one)).rejects.toMatchObject({ cause: reason });
    release();
    await holding;
    await one();
    expect(new Set(Object.values(await places()))).toEqual(new Set(["here"]));
  });

  test("a cancelled transaction answers nobody who still works at it", async () => {
    const call = new ActiveCall({});
    let late: Promise<unknown> = Promise.resolve();
    const work = runAs(call, () =>
      data.transaction(async (tx) => {
        await tx.db.execute(sql`update parcels set place = 'there'`);
        call.cancel(reason);
        late = tx.db.execute(sql`update parcels set place = 'there'`).execute();
        return late;
      }),
    );
    await expect(work).rejects.toBe(reason);
    await expect(late).rejects.toMatchObject({ cause: reason });
    await one();
    expect(new Set(Object.values(await places()))).toEqual(new Set(["here"]));
  });

  test("a statement that its transaction does not wait for any more is cancelled with it", async () => {
    const failed = data.transaction(async (tx) => {
      const slow = tx.db.execute(sleeping).execute();
      await isBusy(1);
      await Promise.race([slow, Promise.reject(new Error("I have had enough"))]);
    });
    await expect(failed).rejects.toThrow("I have had enough");
    await one();
    await quiet();
  });

  test("whenever a call is cancelled, the next user of its connection is not", async () => {
    for (let round = 0; round < 150; round++) {
      const call = new ActiveCall({});
      const seconds = (round % 5) / 1000;
      const work =
        round % 2 === 0
          ? runAs(call, () => run(sql`select pg_sleep(${seconds})`))
          : runAs(call, () => data.transaction((tx) => tx.db.execute(sql`select pg_sleep(${seconds})`)));
      const timer = setTimeout(() => call.cancel(reason), round % 7);
      const [own, next] = await Promise.allSettled([work, one()]);
      clearTimeout(timer);
      if (own.status === "rejected") expect([own.reason, own.reason.cause]).toContain(reason);
      expect(next).toMatchObject({ status: "fulfilled", value: { rows: [{ one: 1 }] } });
    }
  });

  test("a cancel request that overtakes its statement is sent again", async () => {
    const relay = await startRelay(url);
    const { name, entities } = desk.spec;
    const slow = openData({ url: relay.url, service: name, entities, maxConnections: 1 });
    try {
      const run = async (statement: SQL) => await slow.db.execute(statement);
      await run(sql`select 1`);
      const overtaken = relay.holdUntilCancelled();
      const call = new ActiveCall({});
      const work = runAs(call, () => run(sleeping));
      await overtaken.held;
      call.cancel(reason);
      await expect(work).rejects.toMatchObject({ cause: reason });
      await quiet();
      expect((await run(sql`select 1 as one`)).rows).toEqual([{ one: 1 }]);
      expect(relay.cancelRequests).toBeGreaterThan(1);
    } finally {
      await slow.close();
      relay.stop();
    }
  });

  test("whoever waits for the same row as a call that is cancelled gets it", async () => {
    await locker.query("BEGIN");
    await locker.query("LOCK TABLE parcels IN ACCESS EXCLUSIVE MODE");
    const call = new ActiveCall({});
    const { parcels } = data.repositories;
    const first = runAs(call, () => parcels!.get("1"));
    const others = [1, 2].map(() => runAs(new ActiveCall({}), () => parcels!.get("1")));
    await isBusy(1);
    call.cancel(reason);
    await expect(first).rejects.toBe(reason);
    await locker.query("ROLLBACK");
    expect(await Promise.all(others)).toMatchObject([{ id: "1" }, { id: "1" }]);
  });

  test("the server ends a statement by itself some time after its deadline", async () => {
    const call = new ActiveCall({ deadline: performance.now() + 200 });
    const slow = runAs(call, () => data.transaction((tx) => tx.db.execute(sleeping)));
    await expect(slow).rejects.toMatchObject({
      code: Code.DeadlineExceeded,
      rawMessage: expect.stringContaining("57014"),
    });
    const { rows } = await data.db.execute(sql`show statement_timeout`);
    expect(rows).toEqual([{ statement_timeout: "0" }]);
  });
});
