import type { GenerateOptions, GenerateResult, Mode } from "./generate/result.js";
import { lastRun, upToDate } from "./generate/up-to-date.js";
import { buildImage } from "./image/compile.js";
import { exclusively } from "./project/lock.js";
import type { Settings } from "./project/settings.js";

/** Generates files from the contract. Two runs that write wait for each other. */
export async function generate(settings: Settings, mode: Mode, options: GenerateOptions = {}): Promise<GenerateResult> {
  return mode === "write"
    ? exclusively(settings.root, () => run(settings, mode, options))
    : run(settings, mode, options);
}

/** Checks without buf whether anything changed. Loads modules while buf compiles. */
async function run(settings: Settings, mode: Mode, options: GenerateOptions): Promise<GenerateResult> {
  const last = await lastRun(settings);
  // A forced path is written even if its file is up to date.
  const result = options.force?.length ? undefined : await upToDate(settings, last);
  if (result !== undefined) return result;
  const compiling = buildImage(settings, last?.modules);
  // It may fail before it is awaited.
  compiling.catch(() => undefined);
  const pipeline = await import("./generate/pipeline.js");
  return pipeline.run(settings, mode, options, compiling);
}
