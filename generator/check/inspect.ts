import type { Diagnostic } from "../contract/findings/diagnostic.js";
import { planEvolution } from "../evolve/evolution.js";
import { planMigrations } from "../migrate/migrations.js";
import type { Settings } from "../project/settings.js";
import { hasErrors, locate, read } from "./read.js";

/** Returns all findings of the tool's rules: in the contract, in its migrations, and in the history of its events. */
export async function inspect(settings: Settings): Promise<Diagnostic[]> {
  const { image, contract, findings } = await read(settings);
  if (hasErrors(findings)) return [...findings];
  const migrations = await planMigrations(settings, contract);
  const evolution = await planEvolution(settings, contract);
  return [...findings, ...locate([...migrations.findings, ...evolution.findings], image)];
}
