import type { GenerateOptions, GenerateResult, Mode } from "./generate/result.js";
import { lastRun, upToDate } from "./generate/up-to-date.js";
import { buildImage } from "./image/compile.js";
import { exclusively } from "./project/lock.js";
import type { Settings } from "./project/settings.js";

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
  const result = options.force?.length ? undefined : await upToDate(settings, last);
  if (result !== undefined) return result;
  const compiling = buildImage(settings, last?.modules);
  // It may fail before anyone waits for it.
  compiling.catch(() => undefined);
  const pipeline = await import("./generate/pipeline.js");
  return pipeline.run(settings, mode, options, compiling);
}
