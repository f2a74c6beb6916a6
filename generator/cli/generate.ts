import { relative, resolve, sep } from "node:path";
import type { CommandModule } from "yargs";
import { type Allowable, allowOption } from "./allow.js";
import { attempt, UsageError } from "./fail.js";
import { type ErrorFormat, errorFormatOption } from "./print/report.js";
import { project } from "./project.js";

interface Options {
  check: boolean;
  diff: boolean;
  "dry-run": boolean;
  json: boolean;
  watch: boolean;
  force: string[];
  allow: Allowable[];
  "error-format": ErrorFormat;
}

export const generate: CommandModule<object, Options> = {
  command: "generate",
  describe: "Generate code, migrations and versions of events",
  builder: (argv) =>
    argv
      .usage(
        "$0 generate\n\nBrings generated code, migrations and versions of events up to date with the contracts. A generated file that " +
          "was edited is not overwritten without --force.",
      )
      .option("check", {
        type: "boolean",
        default: false,
        describe: "Write nothing; exit with 100 if anything is stale",
      })
      .option("diff", { type: "boolean", default: false, describe: "Write nothing; print the change as a patch" })
      .option("dry-run", {
        alias: "d",
        type: "boolean",
        default: false,
        describe: "Write nothing; list what would change",
      })
      .option("json", { type: "boolean", default: false, describe: "Print one JSON document" })
      .option("watch", { type: "boolean", default: false, describe: "Generate again after each change, until Ctrl-C" })
      .option("force", {
        type: "string",
        array: true,
        nargs: 1,
        default: [] as string[],
        describe: "Discard the edits in this file or folder",
      })
      .option("allow", allowOption)
      .option("error-format", errorFormatOption)
      .example("$0 generate", "Bring the generated code up to date")
      .example("$0 generate --check", "In CI: is it up to date?")
      .example("$0 generate --watch", "While you work on contracts")
      .example("$0 generate --diff | git apply", "Apply the change as a patch")
      .example("$0 generate --force generated/shop/orders/v1/orders_pb.ts", "Discard the edits in one file")
      .example("$0 generate --allow MIGRATION_LOSES_DATA", "Drop columns that the contract no longer has"),
  async handler({ check, diff, dryRun, json, watch, force, allow, errorFormat }) {
    const asked = { check, diff, "dry-run": dryRun } as const;
    const [mode = "write", other] = (["check", "diff", "dry-run"] as const).filter((each) => asked[each]);
    if (other !== undefined) throw new UsageError(`--${mode} and --${other} are two runs: choose one`);
    if (watch && (mode !== "write" || json)) throw new UsageError("--watch writes, so it goes with no other option");
    const [settings, { regenerate }] = await Promise.all([project(), import("./regenerate.js")]);
    const forced = force.map((path) => fromRoot(path, settings.root));
    const run = (force: string[]) => regenerate(settings, { mode, json, force, allow, errorFormat });
    if (!watch) {
      await run(forced);
      return;
    }
    await attempt(() => run(forced));
    const { watchProject } = await import("../watch/project.js");
    await watchProject(settings, async ({ contract }) => {
      if (contract) await attempt(() => run([]));
    });
    process.stderr.write("waiting for changes of the contracts; Ctrl-C ends\n");
  },
};

/** Converts a path relative to the working directory to one relative to the project's root. */
function fromRoot(path: string, root: string): string {
  return relative(root, resolve(path)).replaceAll(sep, "/");
}
