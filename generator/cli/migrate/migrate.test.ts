import { expect, it } from "vitest";
import { print } from "../../migrate/folder.js";
import type { SchemaSnapshot } from "../../migrate/snapshot.js";
import { createTable } from "../../migrate/sql.js";
import { scaffold } from "../../testing/cli.js";
import { contractProject } from "../../testing/contract-project.js";
import { testDatabase } from "../../testing/database.js";
import { execute } from "../../testing/tables.js";

/** The schema of a project whose contract had one more field than it has now. */
const schema: SchemaSnapshot = {
  version: 1,
  tables: [
    {
      message: "desk.notes.v1.Note",
      name: "notes",
      key: 1,
      columns: [
        { field: 1, name: "id", type: "text", nullable: false },
        { field: 2, name: "text", type: "text", nullable: false, default: "''" },
        { field: 3, name: "old", type: "integer", nullable: true },
      ],
      indexes: [],
    },
  ],
  messages: {},
};
const folder = "services/notes/migrations";
const files = {
  [`${folder}/0001_create_notes.sql`]: `${createTable(schema.tables[0]!).sql};\n`,
  [`${folder}/0001_create_notes.json`]: print(schema),
};

it("plans what the contract asks for, and writes nothing", async () => {
  const { root, read } = contractProject(files);
  const path = `${folder}/0002_drop_notes_old.sql`;
  const refused = await scaffold(root, ["migrate", "plan"]);
  expect(refused.code).toBe(100);
  expect(refused.stdout).toMatch(/MIGRATION_LOSES_DATA: [\s\S]*\n {2}contract: mark old deprecated/);
  const allow = ["--allow", "MIGRATION_LOSES_DATA"];
  expect(await scaffold(root, ["migrate", "plan", ...allow])).toEqual({
    code: 0,
    stdout: `-- ${path}

-- lock: ACCESS EXCLUSIVE; rows: untouched; loses data; not safe beside the version before
ALTER TABLE "notes" DROP COLUMN "old";

`,
    stderr: "nothing written; next: npx scaffold generate\n",
  });
  const json = await scaffold(root, ["migrate", "plan", "--json", ...allow]);
  const statement = { lock: "ACCESS EXCLUSIVE", rows: "untouched", losesData: true, transaction: true };
  expect(JSON.parse(json.stdout)).toMatchObject({
    diagnostics: [],
    migrations: [{ service: "notes", path, statements: [statement] }],
  });
  expect(read(path)).toBeUndefined();
});

it("applies, lists and compares", async () => {
  const { root } = contractProject(files);
  const url = await testDatabase();
  const run = (...args: string[]) => scaffold(root, ["migrate", ...args, "--url", url]);
  expect(await run("status")).toMatchObject({ code: 100, stdout: "notes: pending 0001_create_notes.sql\n" });
  expect(await run("up")).toMatchObject({ code: 0, stdout: "notes: applied 0001_create_notes.sql\n" });
  expect(await run("verify")).toMatchObject({ code: 0, stdout: "notes: as its migrations say\n" });
  await execute(url, `ALTER TABLE "notes" ALTER COLUMN "text" DROP NOT NULL, ADD COLUMN "own" text`);
  const found = await run("verify", "--json");
  expect(found.code).toBe(100);
  expect(JSON.parse(found.stdout)).toEqual([
    {
      service: "notes",
      applied: ["0001_create_notes.sql"],
      pending: [],
      faults: ["column notes.text may be NULL", "column notes.own is in no migration's schema"],
    },
  ]);
});

it.each([
  [["up"], "No database runs in this project. Start the system with scaffold dev, or give --url"],
  [["up", "noets", "--url", "postgres://127.0.0.1/x"], "noets has no migrations; these have: notes, tags"],
  [["status", "notes", "--url", "postgres://127.0.0.1:1/x"], "notes: [unavailable] no database answers at 127.0.0.1:1"],
  [["verify", "--url", "postgres://127.0.0.1/x"], "say whose that is: notes, tags"],
])("refuses %j", async (args, message) => {
  const { root } = contractProject({
    "services/notes/migrations/0001_create_notes.sql": "",
    "services/tags/migrations/0001_create_tags.sql": "",
  });
  const result = await scaffold(root, ["migrate", ...args]);
  expect(result).toMatchObject({ code: 1, stdout: "" });
  expect(result.stderr).toContain(message);
});
