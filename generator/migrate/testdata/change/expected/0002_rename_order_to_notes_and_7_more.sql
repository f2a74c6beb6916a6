-- lock: ACCESS EXCLUSIVE; rows: untouched; not safe beside the version before
-- Safe beside it is to keep the table's name: option (scaffold.v1.entity) = {table: "order"}.
ALTER TABLE "order" RENAME TO "notes";

-- lock: ACCESS EXCLUSIVE; rows: untouched; not safe beside the version before
-- Safe beside it is to keep the column's name: [(scaffold.v1.field).column = "author"].
ALTER TABLE "notes" RENAME COLUMN "author" TO "user";

-- lock: SHARE UPDATE EXCLUSIVE; rows: untouched
ALTER INDEX "order_author_idx" RENAME TO "notes_user_idx";

-- lock: SHARE UPDATE EXCLUSIVE; rows: untouched
ALTER INDEX "order_slug_key" RENAME TO "notes_slug_key";

-- lock: none; rows: untouched
CREATE TABLE "order" (
  "name" text COLLATE "C" PRIMARY KEY,
  "icon" bytea NOT NULL DEFAULT '\x',
  "weight" double precision NOT NULL DEFAULT 0,
  "uses" numeric NOT NULL DEFAULT 0
);

-- lock: ACCESS EXCLUSIVE; rows: untouched
ALTER TABLE "notes" ADD COLUMN "author" text NOT NULL DEFAULT '';

-- lock: ACCESS EXCLUSIVE; rows: untouched
ALTER TABLE "notes" ADD COLUMN "pinned" boolean NOT NULL DEFAULT false;

-- lock: ACCESS EXCLUSIVE; rows: untouched
ALTER TABLE "notes" ADD COLUMN "remark" text;

-- lock: ACCESS EXCLUSIVE; rows: untouched
ALTER TABLE "notes" ADD COLUMN "attachments" jsonb NOT NULL DEFAULT '{}';

-- scaffold: outside a transaction

-- lock: SHARE UPDATE EXCLUSIVE; rows: scanned
CREATE INDEX CONCURRENTLY "notes_user_create_time_idx" ON "notes" ("user", "create_time");
