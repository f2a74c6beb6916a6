-- lock: none; rows: untouched
CREATE TABLE "payments" (
  "id" text COLLATE "C" PRIMARY KEY,
  "order_id" text NOT NULL DEFAULT '',
  "amount_cents" bigint NOT NULL DEFAULT 0,
  "state" integer NOT NULL DEFAULT 0,
  "create_time" timestamptz,
  "update_time" timestamptz
);

-- lock: none; rows: untouched
CREATE INDEX "payments_order_id_idx" ON "payments" ("order_id");
