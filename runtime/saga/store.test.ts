import { Code } from "@connectrpc/connect";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { testDatabase } from "../../generator/testing/database.js";
import { execute } from "../../generator/testing/tables.js";
import { type Data, openData } from "../data/data.js";
import { runtimeTables } from "../service/migrations.js";
import {
  claim,
  counts,
  insert,
  LeaseLost,
  markUnknown,
  type NewSaga,
  type NewStep,
  phase,
  removeEnded,
  renew,
  requestCompensation,
  write,
} from "./store.js";

let url: string;
let data: Data;

beforeAll(async () => {
  url = await testDatabase();
  await execute(url, runtimeTables);
  data = openData({ url, service: "orders", entities: {} });
});
beforeEach(() => execute(url, `TRUNCATE "scaffold_sagas", "scaffold_sagas_removed"`));
afterAll(() => data.close());

const bytes = (text: string) => new TextEncoder().encode(text);
const step = (name: string, request: string): NewStep => ({
  step: name,
  request: bytes(request),
  call: `a.v1.S/${name}`,
  compensation: `a.v1.S/un${name}`,
});
const saga = (id: string, change: { saga?: string; leaseMs?: number } = {}): NewSaga => ({
  id,
  saga: "a.v1.S/M",
  input: bytes("input"),
  ...step("first", "request"),
  trace: { "x-request-id": "t" },
  timeoutMs: 60_000,
  leaseMs: 0,
  ...change,
});
const take = (limit = 10, leaseMs = 60_000) => claim(data.db, ["a.v1.S/M"], limit, leaseMs);

test("what was written down is what the next one finds", async () => {
  await insert(data.db, saga("1"));
  const [row] = await take();
  expect(row).toMatchObject({ id: "1", state: "running", steps: ["first"], answers: [], epoch: 2, attempts: 0 });
  expect(row?.leftMs).toBeGreaterThan(59_000);
  const next = step("second", "more");
  await write(data.db, row!, { answer: bytes("answer"), next, dueInMs: 0 });
  const [again] = await take();
  expect(again).toMatchObject({
    calls: ["a.v1.S/first", "a.v1.S/second"],
    compensations: ["a.v1.S/unfirst", "a.v1.S/unsecond"],
  });
  expect(again).toMatchObject({ steps: ["first", "second"], trace: { "x-request-id": "t" }, epoch: 3 });
  expect(Buffer.concat([...again!.requests, ...again!.answers]).toString()).toBe("requestmoreanswer");
  expect(Buffer.from(again!.input).toString()).toBe("input");
});

test("the methods of steps keep their places, though an older version of the runtime left some out", async () => {
  await insert(data.db, saga("1"));
  await execute(url, `UPDATE "scaffold_sagas" SET "calls" = '{}', "compensations" = '{}'`);
  const [row] = await take(1, 0);
  await write(data.db, row!, { answer: bytes("answer"), next: step("second", "more"), dueInMs: 0 });
  const [again] = await take();
  expect(again).toMatchObject({ calls: [null, "a.v1.S/second"], compensations: [null, "a.v1.S/unsecond"] });
});

test("what does not fit is stuck at once, without having failed, until it fits", async () => {
  await insert(data.db, saga("1"));
  const [row] = await take(1, 0);
  await write(data.db, row!, { incompatibility: "it is another", dueInMs: 0 });
  expect(await counts(data.db)).toEqual({ running: 1, compensating: 0, stuck: 1 });
  const [again] = await take();
  expect(again).toMatchObject({ attempts: 0, error: null, incompatibility: "it is another" });
  await write(data.db, again!, { error: "no", dueInMs: 60_000 });
  expect(await counts(data.db)).toEqual({ running: 1, compensating: 0, stuck: 0 });
});

test("what nobody has taken for long, since the contract does not have it, is marked once", async () => {
  for (const name of ["b.v1.S/M", "a.v1.S/M"]) await insert(data.db, saga(name, { saga: name }));
  expect(await markUnknown(data.db, ["a.v1.S/M"])).toEqual([]);
  await execute(url, `UPDATE "scaffold_sagas" SET "due_at" = now() - interval '2 minutes'`);
  expect(await markUnknown(data.db, ["a.v1.S/M"])).toEqual([{ id: "b.v1.S/M", saga: "b.v1.S/M" }]);
  expect(await markUnknown(data.db, ["a.v1.S/M"])).toEqual([]);
  expect(await counts(data.db)).toEqual({ running: 2, compensating: 0, stuck: 1 });
});

test("what has ended is removed when its time is over, the oldest first, and until when is noted", async () => {
  for (const id of ["running", "undone again", "young", "old", "older", "oldest"]) await insert(data.db, saga(id));
  await insert(data.db, saga("of another", { saga: "b.v1.S/M" }));
  const ended = (ids: string, ago: string) =>
    execute(
      url,
      `UPDATE "scaffold_sagas" SET "state" = 'completed', "ended_at" = now() - interval '${ago}' WHERE "id" IN (${ids})`,
    );
  await ended(`'young'`, "1 hour");
  await ended(`'old', 'undone again', 'of another'`, "2 days");
  await ended(`'older'`, "3 days");
  await ended(`'oldest'`, "4 days");
  await requestCompensation(data.db, "undone again", "enough");
  const remove = () => removeEnded(data.db, "a.v1.S/M", 86_400_000, 2);
  const left = async () =>
    (await execute(url, `SELECT "id" FROM "scaffold_sagas" ORDER BY "id"`)).rows.map(({ id }) => id);
  const until = async () =>
    (await execute(url, `SELECT "saga", "until" < now() - interval '60 hours' AS "long" FROM "scaffold_sagas_removed"`))
      .rows;
  expect(await until()).toEqual([]);
  expect(await remove()).toBe(2);
  expect(await left()).toEqual(["of another", "old", "running", "undone again", "young"]);
  expect(await until()).toEqual([{ saga: "a.v1.S/M", long: true }]);
  expect(await remove()).toBe(1);
  expect(await left()).toEqual(["of another", "running", "undone again", "young"]);
  expect(await until()).toEqual([{ saga: "a.v1.S/M", long: false }]);
  expect(await remove()).toBe(0);
});

test("many remove at once, and each saga is removed by one", async () => {
  for (let i = 0; i < 50; i++) await insert(data.db, saga(String(i)));
  await execute(url, `UPDATE "scaffold_sagas" SET "state" = 'completed', "ended_at" = now()`);
  const removed = await Promise.all(Array.from({ length: 10 }, () => removeEnded(data.db, "a.v1.S/M", 0, 20)));
  expect(removed.reduce((sum, count) => sum + count)).toBe(50);
  expect(await phase(data.db, "7")).toBeUndefined();
});

test("many take at once, and each saga is taken by one", async () => {
  for (let i = 0; i < 50; i++) await insert(data.db, saga(String(i)));
  const taken = (await Promise.all(Array.from({ length: 10 }, () => take(20)))).flat();
  expect(taken.map(({ id }) => id).sort()).toEqual(Array.from({ length: 50 }, (_, i) => String(i)).sort());
  expect(await take()).toEqual([]);
});

test("nobody takes what has a lease, what waits, what has ended, or what they do not know", async () => {
  await insert(data.db, saga("leased", { leaseMs: 60_000 }));
  await insert(data.db, saga("foreign", { saga: "b.v1.S/M" }));
  await insert(data.db, saga("waits"));
  await insert(data.db, saga("ended"));
  for (const row of await take()) {
    await write(
      data.db,
      row,
      row.id === "waits" ? { error: "no", dueInMs: 60_000 } : { state: "completed", dueInMs: 0 },
    );
  }
  expect(await take()).toEqual([]);
  expect(await counts(data.db)).toEqual({ running: 3, compensating: 0, stuck: 0 });
});

test("whoever has lost the lease writes nothing any more, and renews nothing", async () => {
  await insert(data.db, saga("1"));
  const [first] = await take(1, 0);
  const [second] = await take();
  expect(second?.epoch).toBe(first!.epoch + 1);
  await expect(write(data.db, first!, { state: "completed", dueInMs: 0 })).rejects.toThrow(LeaseLost);
  await renew(data.db, [first!], 0);
  expect(await take()).toEqual([]);
  await renew(data.db, [second!], 0);
  expect(await take()).toHaveLength(1);
});

test("whoever works at it loses a saga that is turned back", async () => {
  await insert(data.db, saga("1"));
  const [row] = await take();
  await requestCompensation(data.db, "1", "enough");
  await expect(write(data.db, row!, { state: "completed", dueInMs: 0 })).rejects.toThrow(LeaseLost);
  expect((await take())[0]).toMatchObject({ state: "compensating", reason: "enough" });
  await expect(requestCompensation(data.db, "2", "enough")).rejects.toMatchObject({ code: Code.NotFound });
  expect(await phase(data.db, "1")).toBe("compensating");
});

test("one id is one saga, and a transaction that is rolled back starts none", async () => {
  await insert(data.db, saga("1"));
  await expect(insert(data.db, saga("1"))).rejects.toMatchObject({ code: Code.AlreadyExists });
  const failing = data.transaction(async (tx) => {
    await insert(tx.db, saga("2"));
    throw new Error("no");
  });
  await expect(failing).rejects.toThrow("no");
  expect(await phase(data.db, "2")).toBeUndefined();
});
