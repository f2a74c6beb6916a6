-- lock: none; rows: untouched
CREATE TABLE "pairs" (
  "id" text COLLATE "C" PRIMARY KEY,
  "product_id" text NOT NULL DEFAULT '',
  "other_product_id" text NOT NULL DEFAULT '',
  "orders" bigint NOT NULL DEFAULT 0
);

-- lock: none; rows: untouched
CREATE UNIQUE INDEX "pairs_product_id_other_product_id_key" ON "pairs" ("product_id", "other_product_id");

-- lock: none; rows: untouched
CREATE INDEX "pairs_product_id_orders_idx" ON "pairs" ("product_id", "orders");
