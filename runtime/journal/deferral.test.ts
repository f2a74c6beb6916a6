import { chmod, copyFile, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Code } from "@connectrpc/connect";
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test } from "vitest";
import { type Postgres, startPostgres } from "../../generator/dev/postgres.js";
import type { ParcelServiceClient } from "../../generator/testdata/parcels/expected/generated/contract_client.js";
import { createParcelServiceClient } from "../../generator/testdata/parcels/expected/generated/contract_client.js";
import { ParcelState } from "../../generator/testdata/parcels/expected/generated/contract_pb.js";
import { execute } from "../../generator/testing/tables.js";
import { type InMemoryService, inMemory } from "../service/in-memory.js";
import { createParcels, parcels } from "../testing/parcels.js";

let root: string;
let directory: string;
let server: Postgres;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "scaffold-deferral-"));
  // PostgreSQL runs as another user when this is root.
  await chmod(root, 0o711);
  server = await startPostgres({ directory: join(root, "postgres"), fsync: false });
  await createParcels(server.url());
});
afterAll(async () => {
  await server?.stop();
  await rm(root, { recursive: true, force: true });
});
beforeEach(async () => {
  directory = await mkdtemp(join(root, "journal-"));
  await execute(server.url(), `TRUNCATE "parcels", "scaffold_requests"`);
});

async function start(maxBytes?: number): Promise<InMemoryService & { readonly client: ParcelServiceClient }> {
  const service = await inMemory(parcels, { databaseUrl: server.url(), journal: { directory, maxBytes } });
  onTestFinished(() => service.close().catch(() => undefined));
  return { ...service, client: createParcelServiceClient({ transport: service.transport }) };
}
const back = async () => {
  server = await startPostgres({ directory: join(root, "postgres"), port: server.port, fsync: false });
};
const count = async ({ metrics }: InMemoryService, name: string) =>
  Number(new RegExp(`^scaffold_${name}\\{.*\\} (.*)$`, "m").exec(await metrics.text())?.[1]);
const quiet = (service: InMemoryService) =>
  expect.poll(() => count(service, "deferred_writes_queued"), { timeout: 20_000 }).toBe(0);
const parcel = (id: string, place = "") => ({ id, place });

test("a write that meets an outage is accepted, and made once when it is over, in order", async () => {
  const service = await start();
  const { client } = service;
  await client.createParcel({ parcel: parcel("1", "here"), requestId: "live" });
  await server.stop();

  const accepted = await client.createParcel({ parcel: { ...parcel("2", "here"), moves: 7 }, requestId: "a" });
  expect(accepted).toMatchObject({ ...parcel("2", "here"), moves: 0, state: ParcelState.ACCEPTED });
  for (const [requestId, place] of [
    ["b", "there"],
    ["c", "elsewhere"],
    ["b", "there"],
  ] as const) {
    const moved = await client.moveParcel({ id: "2", place, requestId });
    expect(moved).toMatchObject({ ...parcel("2", place), state: ParcelState.ACCEPTED });
  }
  const other = client.moveParcel({ id: "2", place: "nowhere", requestId: "b" });
  await expect(other).rejects.toMatchObject({
    code: Code.InvalidArgument,
    rawMessage: expect.stringContaining("another request"),
  });
  // Without a key, or without the option, it is an outage.
  await expect(client.moveParcel({ id: "2", place: "x" })).rejects.toMatchObject({ code: Code.Unavailable });
  const update = client.updateParcel({ parcel: parcel("1", "x"), updateMask: { paths: ["place"] } });
  await expect(update).rejects.toMatchObject({ code: Code.Unavailable });
  expect(await count(service, "deferred_writes_queued")).toBe(3);
  expect(await count(service, "database_up")).toBe(0);
  await service.close();

  // Whoever is started next finds what is left, and may be started before the database is.
  const next = await start();
  expect(await count(next, "deferred_writes_queued")).toBe(3);
  await expect(next.client.moveParcel({ id: "2", place: "there", requestId: "b" })).resolves.toMatchObject({
    state: ParcelState.ACCEPTED,
  });
  await copyFile(join(directory, "journal"), join(root, "kept"));
  await back();
  await quiet(next);
  expect(await next.client.getParcel({ id: "2" })).toMatchObject({ ...parcel("2", "elsewhere"), moves: 2 });
  expect(await count(next, "deferred_writes_applied_total")).toBe(3);
  expect(await count(next, "database_up")).toBe(1);
  // The same key again gets what came of it.
  const repeated = await next.client.moveParcel({ id: "2", place: "there", requestId: "b" });
  expect(repeated).toMatchObject({ ...parcel("2", "there"), moves: 1, state: ParcelState.MOVED });
  await next.close();

  // A process that was killed before it could write down that they were made.
  await copyFile(join(root, "kept"), join(directory, "journal"));
  const third = await start();
  await quiet(third);
  expect(await third.client.getParcel({ id: "2" })).toMatchObject({ ...parcel("2", "elsewhere"), moves: 2 });
  expect(await count(third, "deferred_writes_dead_total")).toBe(0);
});

test("a write that is refused in the end is kept with the reason, and holds up no other", async () => {
  const service = await start();
  const { client } = service;
  await client.createParcel({ parcel: parcel("1", "here"), requestId: "live" });
  await server.stop();
  await client.createParcel({ parcel: parcel("1", "there"), requestId: "a" });
  await client.moveParcel({ id: "9", place: "there", requestId: "b" });
  await client.moveParcel({ id: "1", place: "there", requestId: "c" });
  await back();
  await quiet(service);
  expect(await client.getParcel({ id: "1" })).toMatchObject({ ...parcel("1", "there"), moves: 1 });
  expect(await count(service, "deferred_writes_dead_total")).toBe(2);
  const letters = (await readFile(join(directory, "dead-letters.jsonl"), "utf8")).trim().split("\n");
  expect(letters.map((line) => JSON.parse(line))).toMatchObject([
    { code: "AlreadyExists", method: "CreateParcel", key: "a", json: { parcel: { id: "1", place: "there" } } },
    { code: "NotFound", method: "MoveParcel", key: "b", reason: 'no Parcel "9"' },
  ]);
  // Asked again, it is refused as any other.
  const again = client.createParcel({ parcel: parcel("1", "there"), requestId: "a" });
  await expect(again).rejects.toMatchObject({ code: Code.AlreadyExists });
});

test("with a full journal, a write fails as if it could not be deferred", async () => {
  const service = await start(700);
  const { client } = service;
  await server.stop();
  await client.createParcel({ parcel: parcel("1"), requestId: "a" });
  const refused = client.createParcel({ parcel: parcel("2", "x".repeat(600)), requestId: "b" });
  await expect(refused).rejects.toMatchObject({
    code: Code.Unavailable,
    rawMessage: expect.stringContaining("the database"),
  });
  await back();
  await quiet(service);
  await client.createParcel({ parcel: parcel("2", "x".repeat(600)), requestId: "b" });
  expect((await client.getParcel({ id: "1" })).id).toBe("1");
});
