-- lock: none; rows: untouched
CREATE TABLE "users" (
  "id" text COLLATE "C" PRIMARY KEY,
  "email" text NOT NULL DEFAULT '',
  "display_name" text NOT NULL DEFAULT '',
  "create_time" timestamptz
);

-- lock: none; rows: untouched
CREATE UNIQUE INDEX "users_email_key" ON "users" ("email");
