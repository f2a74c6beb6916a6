/**
 * The tables of sagas, in the database of the service that starts them. A row is a saga. `steps`, `requests` and `answers` are
 * parallel: what was begun, and its answers so far. `calls` and `compensations` name the methods of what was begun; steps that an
 * old version of the runtime began have none. `epoch` grows with each lease, so that a process that has lost its lease changes
 * nothing; `due_at` is when the next lease may be taken. `misfit` says why the version of the contract that saw the saga last cannot
 * go on with it, and `refused` that a compensation was refused for good. Ended sagas are removed after a while. `until` in
 * `scaffold_sagas_removed` is when the last removed one ended, so that an audit does not take them for lost.
 */
export const sagaTables = `CREATE TABLE IF NOT EXISTS "scaffold_sagas" (
  "id" text COLLATE "C" PRIMARY KEY,
  "saga" text COLLATE "C" NOT NULL,
  "state" text NOT NULL,
  "input" bytea NOT NULL,
  "steps" text[] NOT NULL,
  "requests" bytea[] NOT NULL,
  "answers" bytea[] NOT NULL DEFAULT '{}',
  "undone" integer NOT NULL DEFAULT 0,
  "attempts" integer NOT NULL DEFAULT 0,
  "error" text,
  "reason" text,
  "trace" jsonb,
  "epoch" integer NOT NULL DEFAULT 1,
  "due_at" timestamptz NOT NULL,
  "deadline" timestamptz NOT NULL,
  "created_at" timestamptz NOT NULL DEFAULT now(),
  "updated_at" timestamptz NOT NULL DEFAULT now(),
  "ended_at" timestamptz
);
ALTER TABLE "scaffold_sagas" ADD COLUMN IF NOT EXISTS "calls" text[] NOT NULL DEFAULT '{}',
  ADD COLUMN IF NOT EXISTS "compensations" text[] NOT NULL DEFAULT '{}', ADD COLUMN IF NOT EXISTS "misfit" text,
  ADD COLUMN IF NOT EXISTS "refused" boolean NOT NULL DEFAULT false;
CREATE INDEX IF NOT EXISTS "scaffold_sagas_due" ON "scaffold_sagas" ("due_at") WHERE "ended_at" IS NULL;
CREATE INDEX IF NOT EXISTS "scaffold_sagas_ended" ON "scaffold_sagas" ("saga", "ended_at") WHERE "ended_at" IS NOT NULL;
CREATE TABLE IF NOT EXISTS "scaffold_sagas_removed" (
  "saga" text COLLATE "C" PRIMARY KEY,
  "until" timestamptz NOT NULL
);`;
