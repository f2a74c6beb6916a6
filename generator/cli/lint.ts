import type { CommandModule } from "yargs";
import { project } from "./project.js";
import { type ErrorFormat, errorFormatOption, report, summarise } from "./report.js";

export const lint: CommandModule<object, { "error-format": ErrorFormat }> = {
  command: "lint",
  describe: "Check the contracts by buf's rules and ours",
  builder: (argv) =>
    argv
      .usage(
        "$0 lint\n\nChecks the contracts: buf's rules as buf.yaml chooses them, and what the options of scaffold.v1 ask for.",
      )
      .option("error-format", errorFormatOption)
      .example("$0 lint", "All findings, one a line: file:line:column: rule: message")
      .example("$0 lint --error-format github-actions", "As annotations of a pull request"),
  async handler({ errorFormat }) {
    const settings = await project();
    const { lint } = await import("../check/lint.js");
    const findings = await lint(settings);
    report(findings, errorFormat);
    summarise(findings);
  },
};
