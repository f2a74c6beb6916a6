import { create, equals, toJsonString } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { Code } from "@connectrpc/connect";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ThingSchema } from "../../generator/testdata/columns/expected/generated/contract_pb.js";
import type { ThingRepository } from "../../generator/testdata/columns/expected/generated/contract_repository.js";
import { thingEntity } from "../../generator/testdata/columns/expected/generated/contract_repository.js";
import { arbitraryMessage } from "../../generator/testing/arbitrary.js";
import { testDatabase } from "../../generator/testing/database.js";
import { createTables, execute } from "../../generator/testing/tables.js";
import { type Data, openData } from "./data.js";
import { formatTimestamp, parseTimestamp } from "./timestamp.js";

let data: Data<{ things: ThingRepository }>;
let url: string;
beforeAll(async () => {
  url = await testDatabase();
  await createTables(url, [thingEntity.table]);
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
    { numRuns: 200 },
  );
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
});

test("an instant is read in whatever time zone the session has", () => {
  const instant = timestampFromDate(new Date("2024-02-29T23:30:00.123Z"));
  for (const text of ["2024-02-29 23:30:00.123+00", "2024-03-01 05:00:00.123+05:30", "2024-02-29 20:00:00.123-03:30"]) {
    expect(parseTimestamp(text)).toEqual(instant);
  }
  expect(formatTimestamp(parseTimestamp("0001-12-31 19:03:58-04:56:02 BC"))).toBe("0001-01-01T00:00:00.000000Z");
  expect(() => parseTimestamp("infinity")).toThrow("no instant");
});
