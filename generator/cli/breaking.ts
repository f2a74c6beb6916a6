import type { CommandModule } from "yargs";
import { isSagaRule, type SagaRule, sagaRules } from "../compare/saga-rules.js";
import { type ErrorFormat, errorFormatOption, report } from "./print/report.js";
import { project } from "./project.js";

interface Options {
  against: string;
  "against-config"?: string;
  path?: string[];
  allow: SagaRule[];
  "error-format": ErrorFormat;
}

export const breaking: CommandModule<object, Options> = {
  command: "breaking",
  describe: "Report what a change of the contracts breaks",
  builder: (argv) =>
    argv
      .usage(
        "$0 breaking --against <input>\n\nCompares the contracts with an older version: messages and methods with the rules that buf.yaml selects, events that " +
          "were published, and running sagas. It does not compare HTTP routes, tables and their indexes, " +
          "idempotency keys, timeouts, and buf.validate rules yet.",
      )
      .option("against", {
        type: "string",
        demandOption: true,
        requiresArg: true,
        describe: "What to compare with: any input of buf, relative to the project's root",
      })
      .option("against-config", {
        type: "string",
        requiresArg: true,
        describe: "The buf.yaml for that input, if not its own",
      })
      .option("path", {
        type: "string",
        array: true,
        requiresArg: true,
        describe: "Compare only these files or folders",
      })
      .option("allow", {
        choices: sagaRules,
        array: true,
        nargs: 1,
        default: [] as SagaRule[],
        describe: "Accept changes that break this rule: see scaffold explain <rule>",
      })
      .option("error-format", errorFormatOption)
      .example("$0 breaking --against '.git#branch=main'", "Compare with the branch main")
      .example("$0 breaking --against '.git#tag=v1.2.0'", "Compare with a release")
      .example("$0 breaking --against ../before", "Compare with another folder")
      .example("$0 breaking --against image.binpb", "Compare with an image of buf build"),
  async handler(args) {
    const { findBreaking } = await import("../check/breaking.js");
    const { against, againstConfig, path: paths, allow } = args;
    const findings = await findBreaking(await project(), { against, againstConfig, paths, allow });
    report(findings, args.errorFormat);
    const rules = findings.map(({ rule }) => rule).filter((rule) => rule !== "COMPILE");
    if (rules.some((rule) => !isSagaRule(rule) && rule !== "EVENT_CHANGED")) {
      process.stderr.write(
        "Programs that were built against the old contract break. Add instead of changing, deprecate instead of removing, or " +
          "start a new version of the package (…v2) beside this one. Rules: https://buf.build/docs/breaking/rules\n",
      );
    }
    if (rules.some(isSagaRule)) {
      process.stderr.write(
        "Running sagas break. scaffold sagas list shows them, and scaffold explain <rule> what may be changed. Once none is " +
          "left, --allow <rule> lets the change pass.\n",
      );
    }
  },
};
