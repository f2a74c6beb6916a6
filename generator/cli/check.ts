import type { CommandModule } from "yargs";
import type { Diagnostic } from "../contract/findings/diagnostic.js";
import { type ErrorFormat, errorFormatOption, hasErrors, report, summarise } from "./print/report.js";
import { project } from "./project.js";

export const check: CommandModule<object, { "error-format": ErrorFormat }> = {
  command: "check",
  describe: "Run what CI should run: lint, freshness of generated code, types",
  builder: (argv) =>
    argv
      .usage("$0 check\n\nRuns lint, generate --check, and the project's own tsc, one after the other. For CI.")
      .option("error-format", errorFormatOption)
      .example("$0 check", "Run all three")
      .example("$0 check --error-format github-actions", "Print annotations for a pull request"),
  async handler({ errorFormat }) {
    const settings = await project();
    const [{ lint }, { generate }, { drift }, { checkTypes }] = await Promise.all([
      import("../check/lint.js"),
      import("../generate.js"),
      import("../check/drift.js"),
      import("../check/types.js"),
    ]);
    const linted = await stage("lint", () => lint(settings));
    report(linted, errorFormat);
    summarise(linted);
    // A broken contract determines neither what should be generated nor whether older code is correct.
    if (linted.some(({ rule }) => rule === "COMPILE")) return;
    const drifted = await stage("drift", async () => {
      const { diagnostics, actions } = await generate(settings, "check", {});
      return hasErrors(diagnostics) ? undefined : drift(actions);
    });
    if (drifted === undefined) return;
    report(drifted, errorFormat);
    summarise(drifted);
    const typed = await stage("types", () => checkTypes(settings));
    report(typed, errorFormat);
    summarise(typed);
  },
};

/** Runs one stage, and prints its result on standard error. Returns undefined if it could not run. */
async function stage<T extends readonly Diagnostic[] | undefined>(name: string, run: () => Promise<T>): Promise<T> {
  const start = performance.now();
  const findings = await run();
  const errors = findings?.filter(({ severity }) => severity === "error").length;
  const outcome = errors === undefined ? "skipped: the contract has errors" : errors === 0 ? "ok" : `${errors} found`;
  process.stderr.write(`${name.padEnd(6)} ${outcome} (${((performance.now() - start) / 1000).toFixed(1)} s)\n`);
  return findings;
}
