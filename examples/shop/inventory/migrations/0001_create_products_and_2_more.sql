-- lock: none; rows: untouched
CREATE TABLE "products" (
  "id" text COLLATE "C" PRIMARY KEY,
  "name" text NOT NULL DEFAULT '',
  "price_cents" bigint NOT NULL DEFAULT 0,
  "tags" jsonb NOT NULL DEFAULT '[]',
  "create_time" timestamptz,
  "update_time" timestamptz
);

-- lock: none; rows: untouched
CREATE TABLE "reservations" (
  "id" text COLLATE "C" PRIMARY KEY,
  "order_id" text NOT NULL DEFAULT '',
  "state" integer NOT NULL DEFAULT 0,
  "lines" jsonb NOT NULL DEFAULT '[]',
  "missing_product_ids" jsonb NOT NULL DEFAULT '[]',
  "create_time" timestamptz
);

-- lock: none; rows: untouched
CREATE TABLE "stocks" (
  "product_id" text COLLATE "C" PRIMARY KEY,
  "available" integer NOT NULL DEFAULT 0,
  "reserved" integer NOT NULL DEFAULT 0
);

-- lock: none; rows: untouched
CREATE INDEX "reservations_order_id_idx" ON "reservations" ("order_id");
