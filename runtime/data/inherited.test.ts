import type { MessageInitShape } from "@bufbuild/protobuf";
import { create, equals, toJson } from "@bufbuild/protobuf";
import fc from "fast-check";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { createRecordServiceClient } from "../../generator/testdata/inherited/expected/generated/contract_client.js";
import {
  type Record as Kept,
  RecordSchema,
} from "../../generator/testdata/inherited/expected/generated/contract_pb.js";
import { records } from "../../generator/testdata/inherited/expected/generated/contract_schema.js";
import { recordService } from "../../generator/testdata/inherited/expected/generated/contract_service.js";
import { testDatabase } from "../../generator/testing/database.js";
import { createTables, execute } from "../../generator/testing/tables.js";
import { createMessage } from "../codec/create.js";
import { createLogger } from "../observe/log.js";
import { createServerAdapter } from "../server/adapter.js";
import { type Listener, listen } from "../server/listen.js";
import { assemble } from "../service/assemble.js";
import { runtimeTables } from "../service/migrations.js";
import { CacheMetrics } from "./cache/metrics.js";
import { type Data, openData } from "./data.js";

type Init = MessageInitShape<typeof RecordSchema>;

let url: string;
let data: Data;
let listener: Listener;
/** TypeScript, too, takes what objects inherit for a field of that name. */
let client: Untyped<ReturnType<typeof createRecordServiceClient>>;
type Untyped<C> = { [Name in keyof C]: C[Name] extends (...args: never) => infer R ? (request: object) => R : never };

beforeAll(async () => {
  url = await testDatabase();
  await createTables(url, [records], true);
  await execute(url, runtimeTables);
  const definition = recordService({ handlers: () => ({}) });
  const { name, entities } = definition.spec;
  data = openData({ url, service: name, entities });
  const log = createLogger({ name, level: "silent" });
  const parts = { data, peers: {}, log, metrics: new CacheMetrics(), draining: new AbortController().signal };
  listener = await listen({
    ...createServerAdapter({ routes: assemble(definition, parts) }),
    host: "127.0.0.1",
    port: 0,
  });
  client = createRecordServiceClient({ baseUrl: `http://127.0.0.1:${listener.port}` });
});
afterAll(async () => {
  await listener.drain(0);
  await data.close();
});
beforeEach(() => execute(url, `TRUNCATE "records"`));

const part: fc.Arbitrary<NonNullable<Init["propertyIsEnumerable"]>> = fc.record(
  {
    hasOwnProperty: fc.string({ unit: "grapheme-ascii" }),
    constructor$: fc.string({ unit: "grapheme-ascii" }),
    isPrototypeOf: fc.record({ name: fc.constant("inner") }, { requiredKeys: [] }),
    name: fc.string({ unit: "grapheme-ascii" }),
  },
  { requiredKeys: [] },
) as never;
const text = fc.string({ unit: "grapheme-ascii", maxLength: 8 });
/** Any of the fields, each set or not. */
const init: fc.Arbitrary<Init> = fc.record(
  {
    hasOwnProperty: text,
    constructor$: text,
    toString$: fc.uuid(),
    isPrototypeOf: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    propertyIsEnumerable: part,
    toLocaleString: fc.oneof(
      fc.record({ case: fc.constant("Proto" as const), value: text }),
      fc.record({ case: fc.constant("DefineGetter" as const), value: part }),
    ),
    DefineSetter: text,
    LookupGetter: fc.boolean(),
    LookupSetter: fc.array(part, { maxLength: 2 }),
    parts: fc.dictionary(fc.constantFrom("constructor", "hasOwnProperty", "toString", "a"), part),
    limit: fc.nat(100),
  },
  { requiredKeys: [] },
) as never;

/** What was sent, with the key that the row was given. */
function expected(sent: Init, key: string): Kept {
  return createMessage(RecordSchema, { ...sent, valueOf$: key });
}
const json = (record: Kept) => toJson(RecordSchema, record);

test("fields called like what every object inherits are kept as they were sent, and stay what they are in an update", async () => {
  await fc.assert(
    fc.asyncProperty(init, init, async (first, second) => {
      const made = await client.createRecord({ record: first });
      const key = made.valueOf$;
      expect(json(made)).toEqual(json(expected(first, key)));
      expect(json(await client.getRecord({ valueOf$: key }))).toEqual(json(made));
      const listed = (await client.listRecords({ pageSize: 1, orderBy: "value_of desc" })).records;
      expect(listed.map(json)).toEqual([json(made)]);

      const limited = await client.updateRecord({
        record: { valueOf$: key, limit: 7 },
        updateMask: { paths: ["limit"] },
      });
      expect(json(limited)).toEqual(json(expected({ ...first, limit: 7 }, key)));
      // Without a mask: whatever is set.
      const changed = await client.updateRecord({ record: { ...second, valueOf$: key } });
      const set = Object.fromEntries(Object.entries(second).filter(([name, value]) => !isEmpty(name, value)));
      expect(json(changed)).toEqual(json(expected({ ...first, limit: 7, ...set }, key)));
      const all = await client.updateRecord({ record: { valueOf$: key }, updateMask: { paths: ["*"] } });
      expect(equals(RecordSchema, all, create(RecordSchema, expected({}, key)))).toBe(true);
    }),
    { numRuns: 25 },
  );
});

/** A list or map with nothing in it is not set; a message with nothing in it is. */
function isEmpty(name: string, value: unknown): boolean {
  return (name === "parts" || Array.isArray(value)) && Object.keys(value as object).length === 0;
}

test("they are found by filters, in orders, and by unique keys, and a key that nobody sent is none", async () => {
  const key = { hasOwnProperty: "same" };
  const first = await client.createRecord({
    record: { hasOwnProperty: "x", constructor$: "1", toString$: "b" },
    ...key,
  });
  const again = await client.createRecord({
    record: { hasOwnProperty: "x", constructor$: "1", toString$: "b" },
    ...key,
  });
  expect(again.valueOf$).toBe(first.valueOf$);
  // Without a key each is another record.
  await client.createRecord({ record: { constructor$: "2" } });
  await client.createRecord({ record: { constructor$: "3" } });
  const list = async (request: object) =>
    (await client.listRecords(request)).records.map((record) => record.constructor$);
  expect(await list({ filter: `has_own_property = "x"` })).toEqual(["1"]);
  expect(await list({ filter: `constructor > "1"`, orderBy: "constructor desc" })).toEqual(["3", "2"]);
  expect(await list({ orderBy: "to_string desc, constructor", pageSize: 5 })).toEqual(["2", "3", "1"]);
  for (const name of ["valueOf", "toString", "hasOwnProperty", "to_locale_string", "constructor$"]) {
    await expect(list({ filter: `${name} = "x"` })).rejects.toThrow(name);
    await expect(list({ orderBy: name })).rejects.toThrow(name);
    await expect(
      client.updateRecord({ record: { valueOf$: first.valueOf$ }, updateMask: { paths: [name] } }),
    ).rejects.toThrow(name);
  }
});

test("a new row's key that is too long is refused before the database", async () => {
  const made = client.createRecord({ record: { valueOf$: "a".repeat(100_000) } });
  await expect(made).rejects.toThrow("value_of: has 100000 bytes");
});
