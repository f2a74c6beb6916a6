-- lock: none; rows: untouched
CREATE TABLE "orders" (
  "id" text COLLATE "C" PRIMARY KEY,
  "customer_id" text NOT NULL DEFAULT '',
  "state" integer NOT NULL DEFAULT 0,
  "lines" jsonb NOT NULL DEFAULT '[]',
  "total_cents" bigint NOT NULL DEFAULT 0,
  "reservation_id" text NOT NULL DEFAULT '',
  "payment_id" text NOT NULL DEFAULT '',
  "cancel_reason" text NOT NULL DEFAULT '',
  "create_time" timestamptz,
  "update_time" timestamptz
);

-- lock: none; rows: untouched
CREATE INDEX "orders_customer_id_create_time_idx" ON "orders" ("customer_id", "create_time");
