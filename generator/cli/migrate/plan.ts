import { locate, read } from "../../check/read.js";
import type { Allowable } from "../../migrate/changes.js";
import { planMigrations } from "../../migrate/migrations.js";
import { printSql } from "../../migrate/statement.js";
import type { Settings } from "../../project/settings.js";
import { type ErrorFormat, hasErrors, report } from "../print/report.js";

export interface PreviewOptions {
  readonly allow: readonly Allowable[];
  readonly json: boolean;
  readonly errorFormat: ErrorFormat;
}

/** Prints the migrations that generate would write, or why it would refuse to. */
export async function previewMigrations(
  settings: Settings,
  { allow, json, errorFormat }: PreviewOptions,
): Promise<void> {
  const { image, contract, findings } = await read(settings);
  const errors = findings.filter(({ severity }) => severity === "error");
  const migrations = hasErrors(errors) ? undefined : await planMigrations(settings, contract, allow);
  const diagnostics = [...errors, ...locate(migrations?.findings ?? [], image)];
  const planned = migrations?.planned ?? [];
  if (json) {
    const documents = planned.map(({ service, path, statements, outside }) => ({
      service,
      path,
      statements: [
        ...statements.map((statement) => ({ ...statement, transaction: true })),
        ...outside.map((statement) => ({ ...statement, transaction: false })),
      ],
    }));
    process.stdout.write(`${JSON.stringify({ diagnostics, migrations: documents })}\n`);
    if (hasErrors(diagnostics)) process.exitCode = 100;
    return;
  }
  for (const { path, statements, outside } of planned) {
    process.stdout.write(`-- ${path}\n\n${printSql(statements, outside)}\n`);
  }
  report(diagnostics, errorFormat);
  const next = planned.length === 0 ? "nothing to migrate" : "nothing written; next: npx scaffold generate";
  if (!hasErrors(diagnostics)) process.stderr.write(`${next}\n`);
}
