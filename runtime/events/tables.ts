/**
 * The tables of events, in the database of each service that publishes or consumes any.
 *
 * `scaffold_outbox` holds published events, written in the transaction of the change that they report. The relay assigns `position`
 * after that transaction is committed: a row that commits late gets a late position, so none is skipped.
 *
 * `number` counts the events of one topic, from 1 on and without gaps, so that a group can tell which events it did not get;
 * `scaffold_topics` holds the last number of each topic. Events from before there were numbers have none.
 *
 * `scaffold_inbox` holds the names of the events that a group has entered: handled, queued or dead. `scaffold_waiting` holds the
 * queues of keys: events that failed, and later events of the same key behind them. `line` is the queue's key. The head of a queue
 * is `due` at some time, the others at infinity. `scaffold_dead_letters` holds the events whose last attempt has failed.
 *
 * `scaffold_accounts` holds the numbers that are settled for a group, taken or known to be missing; `opened` says that the first
 * number that the group must get is known. `scaffold_missing` holds the numbers that never reached the group. `scaffold_looks` says
 * when they were last looked for, and in the row without a group since when numbers are noted.
 */
export const eventTables = `
CREATE TABLE IF NOT EXISTS "scaffold_outbox" (
  "id" bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  "position" bigint,
  "topic" text COLLATE "C" NOT NULL,
  "key" text NOT NULL,
  "attributes" jsonb NOT NULL,
  "payload" bytea NOT NULL,
  "created_at" timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX IF NOT EXISTS "scaffold_outbox_new" ON "scaffold_outbox" ("id") WHERE "position" IS NULL;
CREATE UNIQUE INDEX IF NOT EXISTS "scaffold_outbox_position" ON "scaffold_outbox" ("position");
ALTER TABLE "scaffold_outbox" ADD COLUMN IF NOT EXISTS "number" bigint;
CREATE TABLE IF NOT EXISTS "scaffold_topics" (
  "topic" text COLLATE "C" PRIMARY KEY,
  "last" bigint NOT NULL
) WITH (fillfactor = 50);
CREATE TABLE IF NOT EXISTS "scaffold_relay" (
  "only" boolean PRIMARY KEY DEFAULT true CHECK ("only"),
  "last" bigint NOT NULL DEFAULT 0,
  "sent" bigint NOT NULL DEFAULT 0
);
INSERT INTO "scaffold_relay" DEFAULT VALUES ON CONFLICT DO NOTHING;
CREATE TABLE IF NOT EXISTS "scaffold_replays" (
  "id" bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  "topic" text COLLATE "C" NOT NULL,
  "group" text COLLATE "C" NOT NULL,
  "after" bigint NOT NULL,
  "until" bigint NOT NULL,
  "created_at" timestamptz NOT NULL DEFAULT now(),
  "finished_at" timestamptz
);
ALTER TABLE "scaffold_replays" ADD COLUMN IF NOT EXISTS "numbers" int8multirange;
CREATE TABLE IF NOT EXISTS "scaffold_inbox" (
  "group" text COLLATE "C" NOT NULL,
  "source" text COLLATE "C" NOT NULL,
  "id" text COLLATE "C" NOT NULL,
  "replay" bigint NOT NULL,
  "taken_at" timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY ("group", "source", "id", "replay")
);
CREATE INDEX IF NOT EXISTS "scaffold_inbox_taken_at" ON "scaffold_inbox" USING brin ("taken_at");
ALTER TABLE "scaffold_inbox" ADD COLUMN IF NOT EXISTS "topic" text COLLATE "C";
ALTER TABLE "scaffold_inbox" ADD COLUMN IF NOT EXISTS "number" bigint;
ALTER TABLE "scaffold_inbox" ADD COLUMN IF NOT EXISTS "partition" integer;
ALTER TABLE "scaffold_inbox" ADD COLUMN IF NOT EXISTS "floor" bigint;
CREATE TABLE IF NOT EXISTS "scaffold_accounts" (
  "group" text COLLATE "C" NOT NULL,
  "source" text COLLATE "C" NOT NULL,
  "topic" text COLLATE "C" NOT NULL,
  "numbers" int8multirange NOT NULL,
  "opened" boolean NOT NULL DEFAULT false,
  PRIMARY KEY ("group", "source", "topic")
);
CREATE TABLE IF NOT EXISTS "scaffold_missing" (
  "group" text COLLATE "C" NOT NULL,
  "source" text COLLATE "C" NOT NULL,
  "topic" text COLLATE "C" NOT NULL,
  "numbers" int8multirange NOT NULL,
  "noticed_at" timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE IF NOT EXISTS "scaffold_looks" (
  "group" text COLLATE "C" PRIMARY KEY,
  "at" timestamptz NOT NULL
);
INSERT INTO "scaffold_looks" VALUES ('', now()) ON CONFLICT DO NOTHING;
CREATE TABLE IF NOT EXISTS "scaffold_waiting" (
  "seq" bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  "group" text COLLATE "C" NOT NULL,
  "topic" text COLLATE "C" NOT NULL,
  "line" text COLLATE "C" NOT NULL,
  "key" text NOT NULL,
  "attributes" jsonb NOT NULL,
  "payload" bytea NOT NULL,
  "attempts" integer NOT NULL DEFAULT 0,
  "due" timestamptz NOT NULL,
  "reason" text NOT NULL DEFAULT ''
);
CREATE INDEX IF NOT EXISTS "scaffold_waiting_line" ON "scaffold_waiting" ("group", "topic", "line", "seq");
CREATE INDEX IF NOT EXISTS "scaffold_waiting_due" ON "scaffold_waiting" ("group", "due");
CREATE TABLE IF NOT EXISTS "scaffold_dead_letters" (
  "seq" bigint PRIMARY KEY,
  "group" text COLLATE "C" NOT NULL,
  "topic" text COLLATE "C" NOT NULL,
  "line" text COLLATE "C" NOT NULL,
  "key" text NOT NULL,
  "attributes" jsonb NOT NULL,
  "payload" bytea NOT NULL,
  "attempts" integer NOT NULL,
  "reason" text NOT NULL,
  "parked" boolean NOT NULL,
  "died_at" timestamptz NOT NULL DEFAULT now()
);`;
