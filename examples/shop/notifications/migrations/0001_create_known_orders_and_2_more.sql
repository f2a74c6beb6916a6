-- lock: none; rows: untouched
CREATE TABLE "known_orders" (
  "id" text COLLATE "C" PRIMARY KEY,
  "customer_id" text NOT NULL DEFAULT '',
  "state" integer NOT NULL DEFAULT 0,
  "items" integer NOT NULL DEFAULT 0,
  "total_cents" bigint NOT NULL DEFAULT 0,
  "cancel_reason" text NOT NULL DEFAULT ''
);

-- lock: none; rows: untouched
CREATE TABLE "letters" (
  "id" text COLLATE "C" PRIMARY KEY,
  "email" text NOT NULL DEFAULT '',
  "subject" text NOT NULL DEFAULT '',
  "text" text NOT NULL DEFAULT ''
);

-- lock: none; rows: untouched
CREATE TABLE "notifications" (
  "id" text COLLATE "C" PRIMARY KEY,
  "user_id" text NOT NULL DEFAULT '',
  "subject" text NOT NULL DEFAULT '',
  "text" text NOT NULL DEFAULT '',
  "create_time" timestamptz
);

-- lock: none; rows: untouched
CREATE INDEX "notifications_user_id_create_time_idx" ON "notifications" ("user_id", "create_time");
