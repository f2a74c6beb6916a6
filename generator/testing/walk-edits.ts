import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { migrate } from "@protoscaffold/runtime/codegen/tool/migrations";
import fc from "fast-check";
import pg from "pg";
import { expect } from "vitest";
import { allowable } from "../migrate/changes.js";
import { differencesOf } from "../migrate/check.js";
import { emptySchema, planMigration } from "../migrate/plan.js";
import { printSql } from "../migrate/statement.js";
import { withTombstones } from "../migrate/tombstones.js";
import { testDatabase } from "./database.js";
import { EditedSchema } from "./edited-schema.js";

const any = fc.noBias(fc.nat(10_000));
const edit = fc.record({ kind: any, table: any, column: any, choice: any }, { noNullPrototype: true });

/**
 * Edits a contract so many times, migrates a database with rows after each, and sees that no row is lost that should be
 * kept, and that the tables are what the contract says. A failure prints its seed; SEED repeats it.
 */
export async function walkEdits(count: number): Promise<void> {
  const seed = Number(process.env.SEED ?? 1);
  const edits = fc.array(edit, { minLength: count, maxLength: count, size: "max" });
  await fc.assert(
    fc.asyncProperty(edits, async (all) => {
      const url = await testDatabase();
      const folder = await mkdtemp(join(tmpdir(), "scaffold-edits-"));
      const client = new pg.Client({ connectionString: url });
      await client.connect();
      try {
        const schema = new EditedSchema();
        let before = emptySchema;
        for (const [i, next] of all.entries()) {
          schema.edit(next);
          const after = withTombstones(before, schema.snapshot);
          const planned = planMigration(before, schema.snapshot, allowable);
          if ("refusals" in planned) throw new Error(JSON.stringify(planned.refusals));
          before = after;
          const name = `${String(i + 1).padStart(4, "0")}_${i}.sql`;
          await writeFile(join(folder, name), printSql(planned.statements, planned.outside));
          await migrate({ url, directory: pathToFileURL(folder) });
          for (const { query, rows } of schema.expected) {
            expect((await client.query({ text: query, rowMode: "array" })).rows).toEqual(rows);
          }
          expect(await differencesOf(after, url)).toEqual([]);
          await client.query(schema.insert());
        }
      } finally {
        await client.end();
        await rm(folder, { recursive: true, force: true });
      }
    }),
    // What comes later depends on what came before, so a shorter walk says little.
    { seed, numRuns: 1, endOnFailure: true },
  );
}
