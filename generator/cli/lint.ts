import type { CommandModule } from "yargs";
import { type ErrorFormat, errorFormatOption, report, summarise } from "./print/report.js";
import { project } from "./project.js";

export const lint: CommandModule<object, { "error-format": ErrorFormat }> = {
  command: "lint",
  describe: "Check the contracts, with buf's rules and the tool's",
  builder: (argv) =>
    argv
      .usage("$0 lint\n\nChecks the contracts with buf's rules, as buf.yaml selects them, and the tool's rules.")
      .option("error-format", errorFormatOption)
      .example("$0 lint", "Print a line for each finding: file:line:column: rule: message")
      .example("$0 lint --error-format github-actions", "Print annotations for a pull request"),
  async handler({ errorFormat }) {
    const settings = await project();
    const { lint } = await import("../check/lint.js");
    const findings = await lint(settings);
    report(findings, errorFormat);
    summarise(findings);
  },
};
