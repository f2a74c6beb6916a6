/** The channel on which publishers say where something is new: `topic/partition`. */
export const LOG_CHANNEL = "scaffold_log";

/** Names the lock of whoever makes the tables, so that no two do. */
export const SCHEMA_LOCK = 270_102;

/**
 * A log in a database of its own. Positions of a partition are given under the lock of its row, which is held until the
 * commit, so they become visible in their order, and whoever reads on from the last one skips none.
 */
export const logTables = `
CREATE TABLE IF NOT EXISTS "scaffold_partitions" (
  "topic" text COLLATE "C" NOT NULL,
  "partition" integer NOT NULL,
  "next" bigint NOT NULL DEFAULT 1,
  PRIMARY KEY ("topic", "partition")
) WITH (fillfactor = 50);
CREATE TABLE IF NOT EXISTS "scaffold_log" (
  "topic" text COLLATE "C" NOT NULL,
  "partition" integer NOT NULL,
  "position" bigint NOT NULL,
  "key" text NOT NULL,
  "attributes" jsonb NOT NULL,
  "payload" bytea NOT NULL,
  "logged_at" timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY ("topic", "partition", "position")
);
CREATE TABLE IF NOT EXISTS "scaffold_groups" (
  "group" text COLLATE "C" NOT NULL,
  "topic" text COLLATE "C" NOT NULL,
  "partition" integer NOT NULL,
  "committed" bigint NOT NULL DEFAULT 0,
  "owner" text,
  "leased_until" timestamptz NOT NULL DEFAULT '-infinity',
  PRIMARY KEY ("group", "topic", "partition")
) WITH (fillfactor = 50);
CREATE TABLE IF NOT EXISTS "scaffold_members" (
  "group" text COLLATE "C" NOT NULL,
  "member" text COLLATE "C" NOT NULL,
  "topics" text[] NOT NULL,
  "leased_until" timestamptz NOT NULL,
  PRIMARY KEY ("group", "member")
);`;
