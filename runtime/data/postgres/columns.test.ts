import { create, equals, type JsonObject, type MessageInitShape, toJsonString } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { sql } from "drizzle-orm";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Color, ThingSchema } from "../../../generator/testdata/columns/expected/generated/contract_pb.js";
import type { ThingRepository } from "../../../generator/testdata/columns/expected/generated/contract_repository.js";
import { thingEntity } from "../../../generator/testdata/columns/expected/generated/contract_repository.js";
import { arbitraryMessage } from "../../../generator/testing/arbitrary.js";
import { testDatabase } from "../../../generator/testing/database.js";
import { createTables, execute } from "../../../generator/testing/tables.js";
import { ActiveCall, runAs } from "../../call/active-call.js";
import { BadRequestSchema } from "../../options/google/rpc/error_details_pb.js";
import { type Data, openData } from "../data.js";
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

test("a key called __proto__ is kept in columns of every kind, by create, get and update", async () => {
  const { things } = data.repositories;
  const json = JSON.parse('{"__proto__": {"__proto__": [{"__proto__": 1}]}}') as JsonObject;
  const key = (value: unknown) => Object.defineProperty({}, "__proto__", { value, enumerable: true });
  const struct = { fields: key({ kind: { case: "boolValue", value: true } }) };
  const holding = {
    labels: key("a"),
    blobsByName: key(new Uint8Array([1])),
    structs: [json, {}],
    value: { kind: { case: "structValue", value: struct } },
    listValue: { values: [{ kind: { case: "structValue", value: struct } }] },
    choice: { case: "choiceStruct", value: json },
  } as MessageInitShape<typeof ThingSchema>;
  const keys = (thing: object) =>
    JSON.stringify(thing, (_, value) => (typeof value === "bigint" ? "" : value)).split("__proto__").length - 1;
  const created = await things.create(holding);
  const read = await things.get(created.thingId);
  const updated = await things.update((await things.create({})).thingId, holding);
  for (const thing of [created, read, updated, await things.get(updated.thingId)]) expect(keys(thing)).toBe(10);
  expect(Object.entries(read.blobsByName)).toEqual([["__proto__", new Uint8Array([1])]]);
});

test("-0 is kept in lists, wrappers and messages", async () => {
  const { things } = data.repositories;
  const { thingId } = await things.create({ doubles: [-0, 0], doubleValue: -0, floatValue: -0 });
  expect(await things.get(thingId)).toMatchObject({ doubles: [-0, 0], doubleValue: -0, floatValue: -0 });
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
      code: Code.Internal,
      rawMessage: expect.stringContaining("Thing.duration is a duration"),
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

const badTimestamp = { seconds: 1n, nanos: 1_000_000_000 };
const badDuration = { seconds: 1n, nanos: -1 };
const nan = { kind: { case: "numberValue", value: Number.NaN } } as const;

/** What a caller may send in bytes, and no column keeps. */
const unkeepable: [field: string, thing: MessageInitShape<typeof ThingSchema>][] = [
  ["string", { string: "a\0b" }],
  ["texts[1]", { texts: ["a", "a\0b"] }],
  ["string_value", { stringValue: "\0" }],
  ['labels["a"]', { labels: { a: "\0" } }],
  ['labels["\\u0000"]', { labels: { "\0": "a" } }],
  ["part.name", { part: { name: "\0" } }],
  ['parts_by_number["1"].name', { partsByNumber: { 1: { name: "\0" } } }],
  ["choice_text", { choice: { case: "choiceText", value: "\0" } }],
  ['struct["a"][0]', { struct: { a: ["\0"] } }],
  ['struct["a"]', { struct: { a: Number.NaN } }],
  ['choice_struct["a"]', { choice: { case: "choiceStruct", value: { a: Number.POSITIVE_INFINITY } } }],
  ['structs[0]["a"]', { structs: [{ a: Number.NaN }] }],
  ["value", { value: nan }],
  ["value", { value: {} }],
  ["list_value.values[1]", { listValue: { values: [{ kind: { case: "boolValue", value: true } }, nan] } }],
  ["timestamp", { timestamp: badTimestamp }],
  ["timestamp", { timestamp: { seconds: 1n << 40n } }],
  ["choice_timestamp", { choice: { case: "choiceTimestamp", value: { seconds: 0n, nanos: -1 } } }],
  ["timestamps[0]", { timestamps: [badTimestamp] }],
  ["duration", { duration: badDuration }],
  ["durations[1]", { durations: [{}, badDuration] }],
  ["durations[0]", { durations: [{ nanos: 1_000_000_000 }] }],
  ["mask", { mask: { paths: ["a__b"] } }],
  ["mask", { mask: { paths: ["aB"] } }],
  ["mask", { mask: { paths: ["a,b"] } }],
  ["mask", { mask: { paths: ["a", ""] } }],
];

test.each(unkeepable)("%s that no column keeps is the caller's fault if the caller sent it", async (field, thing) => {
  const { things } = data.repositories;
  const request = { schema: ThingSchema, message: create(ThingSchema, thing) };
  const asked = runAs(new ActiveCall({ request }), () => failure(things.create(thing)));
  expect(await asked).toMatchObject({ code: Code.InvalidArgument, fields: [field] });
  const { thingId } = await things.create({});
  const changed = runAs(new ActiveCall({ request }), () => failure(things.update(thingId, thing)));
  expect(await changed).toMatchObject({ code: Code.InvalidArgument, fields: [field] });

  const other = { schema: ThingSchema, message: create(ThingSchema, { string: "a" }) };
  const own = await runAs(new ActiveCall({ request: other }), () => failure(things.create(thing)));
  expect(own).toMatchObject({ code: Code.Internal, fields: [], message: expect.stringContaining(`Thing.${field} `) });
  expect(await failure(things.create(thing))).toMatchObject({ code: Code.Internal });
});

test("U+0000 that a caller looks for is the caller's fault", async () => {
  const { things } = data.repositories;
  const request = { schema: ThingSchema, message: create(ThingSchema, { thingId: "a\0" }) };
  for (const ask of [() => things.get("a\0"), () => things.delete("a\0"), () => things.batchGet(["a\0"])]) {
    const asked = await runAs(new ActiveCall({ request }), () => failure(ask()));
    expect(asked).toMatchObject({ code: Code.InvalidArgument, fields: ["thing_id"] });
    expect(await failure(ask())).toMatchObject({ code: Code.Internal });
  }
});

test("half a character is refused, not replaced, and its field is named", async () => {
  const { things } = data.repositories;
  const half = "a\ud83d";
  const cut: [field: string, thing: MessageInitShape<typeof ThingSchema>][] = [
    ["thing_id", { thingId: half }],
    ["string", { string: half }],
    ["texts[0]", { texts: [half] }],
    ["part.name", { part: { name: half } }],
    ['struct["a"]', { struct: { a: half } }],
    ["value.string_value", { value: { kind: { case: "stringValue", value: half } } }],
    [`labels[${JSON.stringify(half)}]`, { labels: { [half]: "a" } }],
  ];
  for (const [field, thing] of cut) {
    // As the handler has it, whatever the request has.
    const request = { schema: ThingSchema, message: create(ThingSchema, { string: "\0" }) };
    const refused = await runAs(new ActiveCall({ request }), () => failure(things.create(thing)));
    const message = expect.stringContaining(`columns.v1.Thing.${field} has a lone surrogate`);
    expect(refused).toMatchObject({ code: Code.Internal, fields: [], message });
  }
  const { thingId } = await things.create({ string: "a\ufffd" });
  await expect(things.update(thingId, { string: half })).rejects.toThrow("Thing.string has a lone surrogate");
  for (const ask of [() => things.get(half), () => things.delete(half), () => things.batchGet(["a", half])]) {
    expect(await failure(ask())).toMatchObject({ code: Code.Internal, message: expect.stringContaining("surrogate") });
  }
  await expect(data.transaction((tx) => tx.db.execute(sql`select ${half}`))).rejects.toThrow("surrogate");
});

async function failure(call: Promise<unknown>): Promise<{ code: Code; fields: string[]; message: string }> {
  const error = await call.then(
    () => expect.unreachable("it succeeded"),
    (reason: unknown) => ConnectError.from(reason),
  );
  const fields = error.findDetails(BadRequestSchema).flatMap((details) => details.fieldViolations);
  return { code: error.code, fields: fields.map(({ field }) => field), message: error.rawMessage };
}

test("an instant is read in whatever time zone the session has", () => {
  const instant = timestampFromDate(new Date("2024-02-29T23:30:00.123Z"));
  for (const text of ["2024-02-29 23:30:00.123+00", "2024-03-01 05:00:00.123+05:30", "2024-02-29 20:00:00.123-03:30"]) {
    expect(parseTimestamp(text)).toEqual(instant);
  }
  expect(formatTimestamp(parseTimestamp("0001-12-31 19:03:58-04:56:02 BC"))).toBe("0001-01-01T00:00:00.000000Z");
  expect(() => parseTimestamp("infinity")).toThrow("no instant");
});
