import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Code } from "@connectrpc/connect";
import { productCache } from "@shop/generated/shop/inventory/v1/inventory_cache.js";
import type { ProductRepository } from "@shop/generated/shop/inventory/v1/inventory_repository.js";
import { productEntity } from "@shop/generated/shop/inventory/v1/inventory_repository.js";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { startPostgres } from "../../generator/dev/postgres.js";
import { createParcelServiceClient } from "../../generator/testdata/parcels/expected/generated/contract_client.js";
import { type Replicated, startReplicated } from "../../generator/testing/replicated.js";
import { createTables, execute } from "../../generator/testing/tables.js";
import { ActiveCall, runAs, staleAgeHeader } from "../call/active-call.js";
import { createTelemetry } from "../observe/prometheus.js";
import { RetryInfoSchema } from "../options/google/rpc/error_details_pb.js";
import { inMemory } from "../service/in-memory.js";
import { createParcels, parcels } from "../testing/parcels.js";
import { type Data, openData } from "./data.js";
import { findPrimary } from "./postgres/driver.js";
import { PostgresMetrics } from "./postgres/metrics.js";

type Products = Data<{ products: ProductRepository }>;

let servers: Replicated;
const telemetry = createTelemetry("shop");
const open: { close(): Promise<void> }[] = [];

beforeAll(async () => {
  servers = await startReplicated();
  await createTables(servers.primary.url(), [productEntity.table]);
  await createParcels(servers.primary.url());
  await servers.caughtUp();
});
afterAll(async () => {
  await Promise.all(open.map((data) => data.close()));
  await servers?.remove();
});

function products(url: string, replicas: string[], counted = new PostgresMetrics()): Products {
  const cache = { ...productCache, ttlMs: 3_600_000, staleIfErrorMs: 3_600_000 };
  const data: Products = openData({
    url,
    replicas,
    service: "shop",
    entities: { products: { entity: productEntity, cache } },
    metrics: counted,
  });
  open.push(data);
  return data;
}

/** A folder for a server's data. */
async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "scaffold-failover-"));
  // PostgreSQL runs as another user when this is root.
  await chmod(path, 0o711);
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  return path;
}

/** The parcel service over both servers, and a call that answers with how old its answer is, too. */
async function parcelDesk() {
  const service = await inMemory(parcels, {
    databaseUrl: servers.primary.url(),
    replicaUrls: [servers.replica.url()],
  });
  open.push(service);
  const client = createParcelServiceClient({ transport: service.transport });
  const place = async (method: "getParcel" | "findParcel", id: string) => {
    let age: string | null = null;
    const { place } = await client[method]({ id }, { onHeader: (header) => (age = header.get(staleAgeHeader)) });
    return age === null ? place : { place, ageMs: Number(age) };
  };
  return { client, place };
}

// One step leads to the next.
test("reads go to a replica where the method says so, and what it has is never cached", async () => {
  const { client, place } = await parcelDesk();
  const names = async () => (await client.listParcels({})).parcels.map(({ place }) => place);
  await client.createParcel({ parcel: { id: "1", place: "here" }, requestId: "a" });
  await client.createParcel({ parcel: { id: "2", place: "here" }, requestId: "b" });
  await servers.caughtUp();
  expect(await place("getParcel", "1")).toBe("here");
  await servers.pause();
  for (const id of ["1", "2"])
    await client.updateParcel({ parcel: { id, place: "there" }, updateMask: { paths: ["place"] } });
  // Not cached by anybody: the replica's, which has not heard of the change.
  expect(await names()).toEqual(["here", "here"]);
  expect([await place("findParcel", "1"), await place("findParcel", "2")]).toEqual(["here", "here"]);
  // The replica filled nothing; what the primary filled is better than what the replica has.
  expect(await place("getParcel", "1")).toBe("there");
  expect([await place("findParcel", "1"), await place("findParcel", "2")]).toEqual(["there", "here"]);
  // The notices of the writes do not bring it back either.
  await servers.resume();
  await servers.caughtUp();
  expect(await place("getParcel", "2")).toBe("there");
  await expect.poll(names).toEqual(["there", "there"]);
});

test("without a replica that answers, the primary does", async () => {
  const nowhere = servers.replica.url().replace(/:\d+\//, ":1/");
  const data = products(servers.primary.url(), [nowhere]);
  await data.repositories.products.create({ id: "alone" });
  const call = new ActiveCall({ replicas: true });
  expect((await runAs(call, () => data.repositories.products.list())).items).toHaveLength(1);
  await data.repositories.products.delete("alone");
});

test("the primary is found whichever address it has", async () => {
  // By a user who is allowed nothing but its tables.
  await execute(
    servers.primary.url(),
    `CREATE ROLE app LOGIN PASSWORD 'app'; GRANT ALL ON ALL TABLES IN SCHEMA public TO app`,
  );
  await servers.caughtUp();
  const as = (url: string) => url.replace(/\/\/.*@/, "//app:app@");
  const data = products(as(servers.replica.url()), [as(servers.primary.url())]);
  await data.repositories.products.create({ id: "first" });
  await data.ready();
});

test("servers of another database are never asked, and those that cannot be used are named", async () => {
  const other = await startPostgres({ directory: join(await folder(), "other"), fsync: false });
  onTestFinished(() => other.stop());
  const primary = servers.primary.url();
  const data = products(primary, [other.url()]);
  await data.repositories.products.create({ id: "mine" });
  await data.repositories.products.delete("mine");
  const call = new ActiveCall({ replicas: true });
  // The other one has no such table.
  await runAs(call, () => data.repositories.products.list());
  const wrong = servers.replica.url().replace(/:[^:@]*@/, ":wrong@");
  const gone = primary.replace(/:\d+\//, ":1/");
  await expect(
    findPrimary({ url: gone, replicas: [wrong, servers.replica.url()], service: "s" }),
  ).rejects.toMatchObject({
    code: Code.Unavailable,
    rawMessage: expect.stringMatching(
      /^no server takes writes: check DATABASE_URL and .*127\.0\.0\.1:1: .*ECONNREFUSED.*; .*password authentication failed.*: replica\)$/,
    ),
  });
});

test("a promotion is followed without a restart, and a primary that comes back takes no writes", async () => {
  const { client, place } = await parcelDesk();
  await place("getParcel", "1");
  const data = products(servers.primary.url(), [servers.replica.url()], new PostgresMetrics(telemetry));
  const { products: rows } = data.repositories;
  await rows.create({ id: "1", name: "old" });
  await rows.get("1");
  // One that knows the replica alone: it reads there, and is told that it cannot write.
  const lone = products(servers.replica.url(), []);
  await servers.caughtUp();
  expect((await lone.repositories.products.get("1")).name).toBe("old");
  await expect(lone.repositories.products.create({ id: "lone" })).rejects.toMatchObject({
    code: Code.Unavailable,
    rawMessage: expect.stringContaining("takes no writes"),
  });
  await servers.kill();
  const refused = await rows.create({ id: "2" }).catch((error: unknown) => error);
  expect(refused).toMatchObject({ code: Code.Unavailable, rawMessage: expect.stringContaining("the database") });
  expect((refused as { findDetails(schema: unknown): unknown[] }).findDetails(RetryInfoSchema)).toMatchObject([
    { retryDelay: { seconds: 1n } },
  ]);
  expect((await rows.get("1")).name).toBe("old");
  // A call says how old its answer is; one that may ask a replica does, and has nothing to say.
  await expect.poll(() => place("getParcel", "1")).toEqual({ place: "there", ageMs: expect.any(Number) });
  expect(await place("findParcel", "2")).toBe("there");
  await expect(client.getParcel({ id: "2" })).rejects.toMatchObject({ code: Code.Unavailable });
  await expect.poll(() => telemetry.text()).toMatch(/scaffold_database_up\{service="shop"\} 0/);

  await servers.promote();
  await expect
    .poll(() => rows.update("1", { name: "new" }).then(String, String), { timeout: 20_000 })
    .not.toMatch(/unavailable/);
  expect((await rows.get("1")).name).toBe("new");
  expect(await telemetry.text()).toMatch(/scaffold_database_up\{service="shop"\} 1/);
  expect(await telemetry.text()).toMatch(/scaffold_database_failovers_total\{service="shop"\} 1/);

  await expect.poll(() => lone.repositories.products.create({ id: "lone" }).then(() => "", String)).toBe("");

  const old = await servers.revive();
  await execute(old.url(), "SELECT 1");
  // Also to one who comes now, and knows nothing of what was before.
  const late = products(servers.primary.url(), [servers.replica.url()]);
  await late.repositories.products.create({ id: "3" });
  await rows.create({ id: "4" });
  const ids = async (url: string) =>
    (await execute(url, `SELECT "id" FROM "products" ORDER BY 1`)).rows.map(({ id }) => id);
  expect(await ids(old.url())).toEqual(["1", "first"]);
  expect(await ids(servers.replica.url())).toEqual(["1", "3", "4", "first", "lone"]);
});
