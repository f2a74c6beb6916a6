-- lock: none; rows: untouched
CREATE TABLE "order" (
  "id" text COLLATE "C" PRIMARY KEY,
  "author" text NOT NULL DEFAULT '',
  "slug" text NOT NULL DEFAULT '',
  "lines" jsonb NOT NULL DEFAULT '[]',
  "create_time" timestamptz
);

-- lock: none; rows: untouched
CREATE INDEX "order_author_idx" ON "order" ("author");

-- lock: none; rows: untouched
CREATE UNIQUE INDEX "order_slug_key" ON "order" ("slug");
