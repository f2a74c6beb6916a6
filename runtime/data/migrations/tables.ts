/**
 * The tables of this layer in every database: the ledger of migrations, the responses of `once`, the log of invalidations. Each
 * statement is idempotent.
 */
export const dataTables = `
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
$$;`;
