import { create, equals, type JsonObject, toJsonString } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { Code } from "@connectrpc/connect";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Color, ThingSchema } from "../../generator/testdata/columns/expected/generated/contract_pb.js";
import type { ThingRepository } from "../../generator/testdata/columns/expected/generated/contract_repository.js";
import { thingEntity } from "../../generator/testdata/columns/expected/generated/contract_repository.js";
import { arbitraryMessage } from "../../generator/testing/arbitrary.js";
import { testDatabase } from "../../generator/testing/database.js";
import { createTables, execute } from "../../generator/testing/tables.js";
import { type Data, openData } from "./data.js";
import { formatTimestamp, parseTimestamp } from "./timestamp.js";

const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 1e9));
console.info(`columns: SEED=${seed}`);

let data: Data<{ things: ThingRepository }>;
let url: string;
beforeAll(async () => {
  url = await testDatabase();
  await createTables(url, [thingEntity.table], true);
  data = openData({ url, service: "things", entities: { things: { entity: thingEntity } } });
});
afterAll(() => data.close());

test("whatever a message holds, it is the same when it comes back", async () => {
  await fc.assert(
    fc.asyncProperty(arbitraryMessage(ThingSchema), async (thing) => {
      const created = await data.repositories.things.create({ ...thing, thingId: "" });
      const read = await data.repositories.things.get(created.thingId);
      const expected = create(ThingSchema, { ...thing, thingId: created.thingId });
      expect(equals(ThingSchema, created, expected), toJsonString(ThingSchema, created)).toBe(true);
      expect(equals(ThingSchema, read, expected), toJsonString(ThingSchema, read)).toBe(true);
    }),
    { numRuns: 100, seed },
  );
});

test("a key called __proto__ is one like others", async () => {
  const { things } = data.repositories;
  const text = '{"__proto__": "a", "b": "c"}';
  const nested = '{"__proto__": {"__proto__": 1}, "b": [{"__proto__": null}]}';
  const { thingId } = await things.create({
    labels: JSON.parse(text) as Record<string, string>,
    struct: JSON.parse(nested) as JsonObject,
  });
  const { labels, struct } = await things.get(thingId);
  expect(new Map(Object.entries(labels))).toEqual(
    new Map([
      ["__proto__", "a"],
      ["b", "c"],
    ]),
  );
  expect(JSON.stringify(struct).match(/__proto__/g)).toHaveLength(3);
  expect(Object.getPrototypeOf(labels)).toBe(Object.prototype);
});

test("of a oneof, a change to one member leaves the others", async () => {
  const { things } = data.repositories;
  const { thingId } = await things.create({ choice: { case: "choiceText", value: "" } });
  expect((await things.get(thingId)).choice).toEqual({ case: "choiceText", value: "" });
  const changed = await things.update(thingId, { choice: { case: "choiceInt64", value: 0n } });
  expect(changed.choice).toEqual({ case: "choiceInt64", value: 0n });
  expect((await things.update(thingId, { string: "other" })).choice).toEqual({ case: "choiceInt64", value: 0n });
  expect((await things.update(thingId, { choice: { case: undefined } })).choice).toEqual({ case: undefined });
  await expect(
    execute(url, `UPDATE "all_things" SET "choice_text" = '', "choice_bool" = false WHERE "thing_id" = '${thingId}'`),
  ).rejects.toThrow("all_things_choice_oneof");
});

test("durations are ordered by their length, and those that mean nothing are refused", async () => {
  const { things } = data.repositories;
  const longest = 315_576_000_000n;
  const durations = [
    { seconds: -longest, nanos: -999_999_999 },
    { seconds: 0n, nanos: -1 },
    { seconds: 0n, nanos: 0 },
    { seconds: 2n, nanos: 5 },
    { seconds: 10n, nanos: 0 },
    { seconds: longest, nanos: 999_999_999 },
  ];
  const ids: string[] = [];
  for (const duration of durations) ids.push((await things.create({ duration })).thingId);
  const { rows } = await execute(
    url,
    `SELECT "thing_id" FROM "all_things" WHERE "thing_id" = ANY ('{${ids.toReversed().join()}}') ORDER BY "duration"`,
  );
  expect(rows.map((row) => row.thing_id)).toEqual(ids);
  for (const duration of [{ seconds: longest + 1n }, { seconds: 1n, nanos: -1 }, { nanos: 1_000_000_000 }]) {
    await expect(things.create({ duration })).rejects.toMatchObject({
      code: Code.InvalidArgument,
      rawMessage: expect.stringContaining("a duration of"),
    });
  }
});

test("an instant is cut to microseconds before anybody is told of it", async () => {
  const created = await data.repositories.things.create({ timestamp: { seconds: 5n, nanos: 123_456_789 } });
  expect(created.timestamp).toMatchObject({ seconds: 5n, nanos: 123_456_000 });
  expect(await data.repositories.things.get(created.thingId)).toEqual(created);
});

test("an enum keeps a number that it has no name for, and the whole of uint64 fits", async () => {
  const { things } = data.repositories;
  const { thingId } = await things.create({ color: 4711 as Color, uint64: 2n ** 64n - 1n });
  expect(await things.get(thingId)).toMatchObject({ color: 4711, uint64: 2n ** 64n - 1n });
});

test("fields that the contract does not know are not kept", async () => {
  const { things } = data.repositories;
  const $unknown = [{ no: 1000, wireType: 0, data: new Uint8Array([1]) }];
  const created = await things.create({ string: "a", part: { name: "wheel", $unknown }, $unknown });
  expect([created.$unknown, created.part?.$unknown]).toEqual([undefined, undefined]);
  expect(await things.get(created.thingId)).toEqual(created);
});

test("the ends of ranges and the numbers that are none come back too", async () => {
  const { things } = data.repositories;
  for (const double of [Number.NaN, Number.POSITIVE_INFINITY, Number.MAX_VALUE, Number.MIN_VALUE, -0]) {
    const float = Math.fround(double);
    const { thingId } = await things.create({ double, float });
    const read = await things.get(thingId);
    expect([read.double, read.float]).toEqual([double, float]);
  }
});

test("a list or a map that was never set is empty, not missing", async () => {
  const { thingId } = await data.repositories.things.create({});
  const { parts, labels, timestamp } = await data.repositories.things.get(thingId);
  expect({ parts, labels, timestamp }).toEqual({ parts: [], labels: {}, timestamp: undefined });
});

test("fields that a newer process wrote into a message are passed over", async () => {
  const { thingId } = await data.repositories.things.create({ part: { name: "wheel" } });
  await execute(url, `UPDATE "all_things" SET "part" = "part" || '{"size": 3}' WHERE "thing_id" = '${thingId}'`);
  expect((await data.repositories.things.get(thingId)).part?.name).toBe("wheel");
});

test("what the database cannot keep is the caller's mistake", async () => {
  const { things } = data.repositories;
  await expect(things.create({ string: "a\0b" })).rejects.toMatchObject({
    code: Code.InvalidArgument,
    rawMessage: expect.stringContaining("U+0000"),
  });
  await expect(things.create({ labels: { a: "\0" } })).rejects.toMatchObject({ code: Code.InvalidArgument });
  await expect(things.create({ timestamp: { seconds: 1n << 40n } })).rejects.toMatchObject({
    code: Code.InvalidArgument,
    rawMessage: expect.stringContaining("out of range"),
  });
  for (const nanos of [-1, 1_000_000_000, 2 ** 31 - 1]) {
    await expect(things.create({ timestamp: { seconds: 1n, nanos } })).rejects.toMatchObject({
      code: Code.InvalidArgument,
      rawMessage: expect.stringContaining(`${nanos} nanos`),
    });
  }
});

test("an instant is read in whatever time zone the session has", () => {
  const instant = timestampFromDate(new Date("2024-02-29T23:30:00.123Z"));
  for (const text of ["2024-02-29 23:30:00.123+00", "2024-03-01 05:00:00.123+05:30", "2024-02-29 20:00:00.123-03:30"]) {
    expect(parseTimestamp(text)).toEqual(instant);
  }
  expect(formatTimestamp(parseTimestamp("0001-12-31 19:03:58-04:56:02 BC"))).toBe("0001-01-01T00:00:00.000000Z");
  expect(() => parseTimestamp("infinity")).toThrow("no instant");
});
