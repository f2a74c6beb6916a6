import type { CommandModule } from "yargs";
import { isSagaRule, type SagaRule, sagaRules } from "../compare/saga-rules.js";
import { project } from "./project.js";
import { type ErrorFormat, errorFormatOption, report } from "./report.js";

interface Options {
  against: string;
  "against-config"?: string;
  path?: string[];
  allow: SagaRule[];
  "error-format": ErrorFormat;
}

export const breaking: CommandModule<object, Options> = {
  command: "breaking",
  describe: "Say what a change of the contracts would break",
  builder: (argv) =>
    argv
      .usage(
        "$0 breaking --against <input>\n\nCompares the contracts with what they were: messages and methods by the rules that buf.yaml chooses, events that " +
          "were published, and sagas that run. It does not compare yet what else callers rely on: HTTP routes, tables and their indexes, " +
          "idempotency keys, timeouts, and rules of buf.validate.",
      )
      .option("against", {
        type: "string",
        demandOption: true,
        requiresArg: true,
        describe: "What to compare with: anything that buf takes, relative to the project's root",
      })
      .option("against-config", { type: "string", requiresArg: true, describe: "A buf.yaml for that, if not its own" })
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
        describe: "Let changes that break this rule pass: see scaffold explain <rule>",
      })
      .option("error-format", errorFormatOption)
      .example("$0 breaking --against '.git#branch=main'", "With the branch main")
      .example("$0 breaking --against '.git#tag=v1.2.0'", "With a release")
      .example("$0 breaking --against ../before", "With another folder")
      .example("$0 breaking --against image.binpb", "With an image that buf build wrote"),
  async handler(args) {
    const { findBreaking } = await import("../check/breaking.js");
    const { against, againstConfig, path: paths, allow } = args;
    const findings = await findBreaking(await project(), { against, againstConfig, paths, allow });
    report(findings, args.errorFormat);
    const rules = findings.map(({ rule }) => rule).filter((rule) => rule !== "COMPILE");
    if (rules.some((rule) => !isSagaRule(rule) && rule !== "EVENT_CHANGED")) {
      process.stderr.write(
        "Whoever was built against the old contract breaks. Add in place of changing, deprecate in place of removing, or " +
          "start a new version of the package (…v2) beside this one. Rules: https://buf.build/docs/breaking/rules\n",
      );
    }
    if (rules.some(isSagaRule)) {
      process.stderr.write(
        "Sagas that run break. scaffold sagas list shows them, and scaffold explain <rule> what can be changed. Once none is " +
          "left, --allow <rule> lets the change pass.\n",
      );
    }
  },
};
