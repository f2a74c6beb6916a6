import { hasErrors, locate, read } from "../check/read.js";
import { planEvolution } from "../evolve/evolution.js";
import { buildImage, type Image } from "../image/compile.js";
import { planVendored, writeVendored } from "../image/vendored.js";
import { planMigrations } from "../migrate/migrations.js";
import { isChange, isConflict } from "../output/action.js";
import { gitAttributes } from "../output/attributes.js";
import { applyOutput, planOutput } from "../output/output.js";
import { plan } from "../plan.js";
import { printInWorker } from "../print/message-worker.js";
import type { Settings } from "../project/settings.js";
import { version } from "../project/version.js";
import { planCorpusTests, planUpcasters } from "../scaffold/evolution.js";
import { missingHandlers, planStarters } from "../scaffold/handlers.js";
import { unnamedParts } from "../scaffold/parts.js";
import type { GenerateOptions, GenerateResult, Mode } from "./result.js";
import { keep } from "./up-to-date.js";

/** Runs the steps from the contract to files. `compiling` compiles the contract with the vendored protos that the project has. */
export async function run(
  settings: Settings,
  mode: Mode,
  { force = [], allow }: GenerateOptions,
  compiling: Promise<Image>,
): Promise<GenerateResult> {
  const forced = (path: string) => force.some((place) => path === place || path.startsWith(`${place}/`));
  const words = await planVendored(settings);
  // Write vendored protos first: the contract may use an option that only this version of the tool has.
  const brought = mode === "write" ? await writeVendored(settings, words, forced) : [];
  const image = await (brought.some(isChange) ? buildImage(settings) : compiling);
  const worker = printInWorker(image);
  try {
    const { files, contract, findings } = await read(settings, image);
    if (hasErrors(findings)) return { diagnostics: findings, actions: brought, missing: [] };

    const migrations = await planMigrations(settings, contract, allow);
    const evolution = await planEvolution(settings, contract, forced);
    const diagnostics = [...findings, ...locate([...migrations.findings, ...evolution.findings], image)];
    if (hasErrors(diagnostics)) return { diagnostics, actions: brought, missing: [] };

    const [generated, starters, upcasters] = await Promise.all([
      plan(contract, files, settings, evolution.histories, worker.messages),
      planStarters(settings, contract),
      planUpcasters(settings, contract, evolution),
    ]);
    diagnostics.push(...unnamedParts(settings, contract));
    const attributes = gitAttributes(settings.generated);
    const tests = await planCorpusTests(settings, contract, starters);
    const byUsers = [...migrations.files, ...starters, ...upcasters, ...tests];
    const wanted = [...generated, attributes, ...evolution.files, ...words, ...byUsers];
    const place = { ...settings, version };
    const actions = await planOutput(place, wanted, { forced });
    const writes = mode === "write" && !actions.some(isConflict);
    if (writes) await applyOutput(place, actions);
    const before = new Map(brought.map((action) => [action.path, action]));
    const done = {
      diagnostics,
      actions: actions.map((action) => (action.kind === "unchanged" ? (before.get(action.path) ?? action) : action)),
      missing: await missingHandlers(settings, contract),
    };
    if (writes) await keep(settings, image, done);
    return done;
  } finally {
    worker.end();
  }
}
