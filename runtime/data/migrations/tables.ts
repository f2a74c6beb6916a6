import { pgTable, primaryKey, text, timestamp } from "drizzle-orm/pg-core";
import { eventTables } from "../../events/tables.js";
import { sagaTables } from "../../saga/tables.js";
import { bytes } from "../postgres/columns.js";

/** Requests that were handled once, and what they were answered: see `once`. */
export const requests = pgTable(
  "scaffold_requests",
  {
    /** The method's full name: two methods may be sent the same key. */
    method: text("method").notNull(),
    key: text("key").notNull(),
    /** A digest of the request without its key. */
    fingerprint: bytes("fingerprint").notNull(),
    /** The answer, binary. NULL only inside the transaction that is working on it. */
    answer: bytes("answer"),
    createdAt: timestamp("created_at", { withTimezone: true }).notNull().defaultNow(),
    /** When it was undone, or forbidden before it was ever made: see `undo`. */
    undoneAt: timestamp("undone_at", { withTimezone: true }),
  },
  (table) => [primaryKey({ columns: [table.method, table.key] })],
);

/**
 * The runtime's own tables, which `migrate` makes in every database. Each statement changes nothing where it was run
 * before. `scaffold_runtimes` names the versions of this text that a database has had.
 */
export const ownTables = `
CREATE TABLE IF NOT EXISTS "scaffold_migrations" (
  "name" text COLLATE "C" PRIMARY KEY,
  "sha256" text NOT NULL,
  "applied_at" timestamptz NOT NULL DEFAULT now()
);
ALTER TABLE "scaffold_migrations" ADD COLUMN IF NOT EXISTS "progress" integer;
CREATE TABLE IF NOT EXISTS "scaffold_runtimes" (
  "tables" text COLLATE "C" PRIMARY KEY,
  "applied_at" timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE IF NOT EXISTS "scaffold_requests" (
  "method" text COLLATE "C" NOT NULL,
  "key" text COLLATE "C" NOT NULL,
  "fingerprint" bytea NOT NULL,
  "answer" bytea,
  "created_at" timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY ("method", "key")
);
ALTER TABLE "scaffold_requests" ADD COLUMN IF NOT EXISTS "undone_at" timestamptz;
CREATE TABLE IF NOT EXISTS "scaffold_invalidations" (
  "id" bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  "table" text NOT NULL,
  "key" text NOT NULL,
  "created_at" timestamptz NOT NULL DEFAULT now()
);
CREATE OR REPLACE FUNCTION "scaffold_invalidate"("channel" text, "payload" text, "of_table" text, "of_key" text)
RETURNS bigint LANGUAGE sql VOLATILE AS $$
  SELECT pg_notify("channel", "payload");
  INSERT INTO "scaffold_invalidations" ("table", "key") VALUES ("of_table", "of_key") RETURNING "id";
$$;
${eventTables}
${sagaTables}`;
