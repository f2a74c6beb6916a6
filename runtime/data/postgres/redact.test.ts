import { inspect } from "node:util";
import { Code, ConnectError } from "@connectrpc/connect";
import { type SQL, sql } from "drizzle-orm";
import { afterAll, beforeAll, expect, test } from "vitest";
import { testDatabase } from "../../../generator/testing/database.js";
import { execute } from "../../../generator/testing/tables.js";
import { createLogger } from "../../observe/log.js";
import { type Data, openData } from "../data.js";
import { fromDatabase } from "./errors.js";

const secret = "card-4111-1111";
let data: Data;

beforeAll(async () => {
  const url = await testDatabase();
  await execute(
    url,
    `CREATE TABLE payments (id text PRIMARY KEY, method text NOT NULL UNIQUE, short varchar(5), cents integer, at date, doc jsonb,
       order_id text REFERENCES payments, CONSTRAINT known CHECK (method <> 'card-4111-1111x'));
     INSERT INTO payments (id, method) VALUES ('1', '${secret}');
     CREATE FUNCTION pay(method text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'cannot pay by %', method
       USING HINT = method, DETAIL = method; END $$;
     CREATE FUNCTION own(method text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'cannot pay by %', method
       USING ERRCODE = 'PAY01'; END $$;
     CREATE FUNCTION raise(state text, method text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'cannot pay by %', method
       USING ERRCODE = state; END $$;
     CREATE FUNCTION inner_pay(method text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN
       EXECUTE format('INSERT INTO payments (id, method) VALUES (%L, %L)', method, method); END $$`,
  );
  data = openData({ url, service: "payments", entities: {} });
});
afterAll(() => data.close());

const failing: readonly (readonly [state: string, statement: SQL])[] = [
  ["23505", sql`insert into "payments" (id, method) values ('2', ${secret})`],
  ["23514", sql`insert into "payments" (id, method) values ('2', ${`${secret}x`})`],
  ["23503", sql`insert into "payments" (id, method, order_id) values ('2', 'a', ${secret})`],
  ["23502", sql`insert into "payments" (id, short) values (${secret}, 'a')`],
  ["22001", sql`insert into "payments" (id, method, short) values ('2', 'a', ${secret})`],
  ["22P02", sql`update "payments" set cents = ${secret}`],
  ["22007", sql`update "payments" set at = ${secret}`],
  ["22P02", sql`update "payments" set doc = ${`{"a": ${secret}}`}`],
  ["22003", sql`select ${"41111111"}::bigint * 999999999999999`],
  ["2201B", sql`select 'a' ~ ${`${secret}(`}`],
  ["P0001", sql`select pay(${secret})`],
  ["PAY01", sql`select own(${secret})`],
  ["23505", sql`select inner_pay(${secret})`],
  ["23505", sql`select raise('23505', ${secret})`],
  ["42P01", sql`select ${secret} from "nothing"`],
];

test.each(failing)("an error (%s) says what failed, and no value", async (state, statement) => {
  const ways = [
    async () => await data.db.execute(statement),
    () => data.transaction((tx) => tx.db.execute(statement)),
    () => data.transaction((tx) => tx.db.transaction((inner) => inner.execute(statement))),
  ];
  for (const run of ways) {
    const error = await run().then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    const lines: string[] = [];
    const log = createLogger({ name: "test" }, { write: (line) => void lines.push(line) });
    log.error({ err: error }, "failed");
    log.error({ err: fromDatabase(error) }, "failed");
    const all = [inspect(error, { depth: 10, showHidden: true }), ConnectError.from(error).message, ...lines].join(
      "\n",
    );
    expect(all).not.toMatch(/4111/);
    expect(all).toContain(state);
  }
});

/** What callers are told when a trigger raises what PostgreSQL itself raises with more to it. */
const bare: readonly (readonly [state: string, code: Code, message: string])[] = [
  ["23505", Code.AlreadyExists, "a row with the same values exists already (SQLSTATE 23505)"],
  ["23502", Code.InvalidArgument, "a value that the database needs is missing (SQLSTATE 23502)"],
  [
    "23503",
    Code.FailedPrecondition,
    "another row refers to this one, or the row it refers to does not exist (SQLSTATE 23503)",
  ],
  [
    "23001",
    Code.FailedPrecondition,
    "another row refers to this one, or the row it refers to does not exist (SQLSTATE 23001)",
  ],
  ["23514", Code.InvalidArgument, "a rule of the database does not allow this (SQLSTATE 23514)"],
  ["23P01", Code.AlreadyExists, "another row excludes this one (SQLSTATE 23P01)"],
  ["22023", Code.InvalidArgument, "a value does not fit (SQLSTATE 22023)"],
  ["53300", Code.Unavailable, "the database has run out of resources (SQLSTATE 53300)"],
  ["57014", Code.DeadlineExceeded, "the database took too long (SQLSTATE 57014)"],
  ["P0001", Code.Internal, "the database failed (SQLSTATE P0001)"],
];

test.each(bare)("an error %s with nothing to it has a text that makes sense", async (state, code, rawMessage) => {
  const raised = data.transaction((tx) => tx.db.execute(sql`select raise(${state}, ${secret})`));
  await expect(raised).rejects.toMatchObject({ code, rawMessage });
});
