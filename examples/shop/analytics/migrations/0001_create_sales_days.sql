-- lock: none; rows: untouched
CREATE TABLE "sales_days" (
  "day" text COLLATE "C" PRIMARY KEY,
  "registrations" bigint NOT NULL DEFAULT 0,
  "orders" bigint NOT NULL DEFAULT 0,
  "items" bigint NOT NULL DEFAULT 0,
  "revenue_cents" bigint NOT NULL DEFAULT 0
);
