import { buildImage } from "./buf.js";
import type { Diagnostic } from "./contract/diagnostic.js";
import { exclusively } from "./exclusive.js";
import type { Allowable } from "./migrate/changes.js";
import type { Action } from "./output/action.js";
import { lastRun, recall } from "./recall.js";
import type { MissingHandlers } from "./scaffold/handlers.js";
import type { Settings } from "./settings.js";

/** What a run is for: to write, or to say what it would write. */
export type Mode = "write" | "check" | "diff" | "dry-run";

export interface GenerateOptions {
  /** Files, and folders of files, in which edits may be written over. Default: none. */
  readonly force?: readonly string[];
  /** The rules that migrations may break this time. Default: none. */
  readonly allow?: readonly Allowable[];
}

export interface GenerateResult {
  /** What is to be said of the contract. With an error among it, nothing was planned and nothing written. */
  readonly diagnostics: readonly Diagnostic[];
  /** What was done, or in other modes than "write" would be. With a conflict among it, nothing was written. */
  readonly actions: readonly Action[];
  /** The methods that somebody has to write now. */
  readonly missing: readonly MissingHandlers[];
}

/** Turns the contract into files: the whole pipeline. Two runs that write wait for each other. */
export async function generate(settings: Settings, mode: Mode, options: GenerateOptions = {}): Promise<GenerateResult> {
  return mode === "write"
    ? exclusively(settings.root, () => run(settings, mode, options))
    : run(settings, mode, options);
}

/** When nothing changed, that is found out without buf; what takes time to load is loaded while buf compiles. */
async function run(settings: Settings, mode: Mode, options: GenerateOptions): Promise<GenerateResult> {
  const last = await lastRun(settings);
  // Who asks for something by force does so of files that are as they should be, too.
  const result = options.force?.length ? undefined : await recall(settings, last);
  if (result !== undefined) return result;
  const compiling = buildImage(settings, last?.modules);
  // It may fail before anyone waits for it.
  compiling.catch(() => undefined);
  const pipeline = await import("./pipeline.js");
  return pipeline.run(settings, mode, options, compiling);
}

/** Everything that our rules find in the contract, and in what it asks of the databases. */
export async function inspect(settings: Settings): Promise<Diagnostic[]> {
  const [{ read, locate }, { planMigrations }, { planEvolution }] = await Promise.all([
    import("./read.js"),
    import("./migrate/migrations.js"),
    import("./evolve/evolution.js"),
  ]);
  const { image, contract, findings } = await read(settings);
  if (hasErrors(findings)) return [...findings];
  const migrations = await planMigrations(settings, contract);
  const evolution = await planEvolution(settings, contract);
  return [...findings, ...locate([...migrations.findings, ...evolution.findings], image)];
}

/** A service as the supervisor sees it. */
export interface RunnableService {
  readonly name: string;
  /** The names of the services that it calls and that the system runs, too. */
  readonly calls: readonly string[];
  /** Whether it needs a database of its own. */
  readonly database: boolean;
  /** Whether it publishes or consumes events. */
  readonly events: boolean;
}

/** What the contract has the system run. Throws if the contract has errors. */
export async function systemOf(settings: Settings): Promise<{ services: readonly RunnableService[] }> {
  const [{ read }, { processOwners }] = await Promise.all([import("./read.js"), import("./contract/process.js")]);
  const { contract, findings } = await read(settings);
  if (hasErrors(findings)) throw new ContractError(findings);
  return {
    services: processOwners(contract.services).map(({ name, entities, methods, consumes }) => {
      const events = consumes.length > 0 || methods.some(({ publishes }) => publishes.length > 0);
      const calls = contract.services
        .filter((service) => service.name === name)
        .flatMap((service) => service.calls.flatMap((callee) => (callee.run ? callee.name : [])))
        .filter((callee) => callee !== name);
      return { name, calls: [...new Set(calls)], database: entities.length > 0 || events, events };
    }),
  };
}

/** A contract that cannot be used; its findings say why. */
export class ContractError extends Error {
  constructor(readonly diagnostics: readonly Diagnostic[]) {
    super(`the contract has ${diagnostics.filter(({ severity }) => severity === "error").length} errors`);
  }
}

function hasErrors(findings: readonly Diagnostic[]): boolean {
  return findings.some(({ severity }) => severity === "error");
}
