/**
 * The tables of events, in the database of each service that publishes or consumes any.
 *
 * `scaffold_outbox` holds what was published, in the transaction of what it tells of. Its `position` is given by the
 * relay once that transaction is committed: a row that commits late gets a late position, so none is ever skipped.
 *
 * Its `number` counts the events of its topic alone, from 1 on and without gaps, so that whoever gets some of them can tell
 * which it did not get; `scaffold_topics` holds the last of each. Events of before there were numbers have none.
 *
 * `scaffold_inbox` holds what a group has taken over, whatever then became of it: handled, waiting, or dead.
 * `scaffold_waiting` holds events that failed, and those of the same key behind them; of each key the first has a time
 * at which it is due, the others have none (infinity). `scaffold_dead_letters` holds those that were given up.
 *
 * `scaffold_accounts` holds the numbers that are settled for a group: taken, or noticed to be missing; `opened` once it is
 * known from which one on the group has to get all. `scaffold_missing` holds those that never reached it. `scaffold_looks`
 * says when that was last looked at; the row of no group, since when numbers are noted.
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
