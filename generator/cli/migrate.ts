import type { Argv, CommandModule } from "yargs";
import type { DatabaseChoice, ServiceDatabase } from "../migrate/databases.js";
import { type Outcome, print } from "./act.js";
import { type Allowable, allowOption } from "./allow.js";
import { project } from "./project.js";
import { type ErrorFormat, errorFormatOption } from "./report.js";

interface Options extends DatabaseChoice {
  json: boolean;
}

const jsonOption = { type: "boolean", default: false, describe: "Print one JSON document" } as const;

const plan: CommandModule<object, { allow: Allowable[]; json: boolean; "error-format": ErrorFormat }> = {
  command: "plan",
  describe: "Print what generate would write next, and what each statement locks, rewrites or loses",
  builder: (argv) =>
    argv
      .usage(
        "$0 migrate plan\n\nPrints the migrations that the contracts ask for. Writes nothing, and needs no database.",
      )
      .option("allow", allowOption)
      .option("json", jsonOption)
      .option("error-format", errorFormatOption)
      .example("$0 migrate plan", "What comes next")
      .example("$0 migrate plan --allow MIGRATION_LOSES_DATA", "What would be dropped?"),
  async handler({ allow, json, errorFormat }) {
    const { previewMigrations } = await import("./migrate-plan.js");
    await previewMigrations(await project(), { allow, json, errorFormat });
  },
};

const up: CommandModule<object, Options> = {
  command: "up [service]",
  describe: "Apply the migrations that a database lacks",
  builder: (argv) =>
    databaseOptions(argv)
      .usage(
        "$0 migrate up [service]\n\nApplies what is missing, in order, each file once. After a failure or a crash it goes on where it was.",
      )
      .example("$0 migrate up", "All databases of the system that runs in this project")
      .example("$0 migrate up orders --url postgres://user:password@host:5432/orders", "One, wherever it is"),
  handler: (options) => act(options, async (databases) => (await import("./migrate-databases.js")).up(databases)),
};

const status: CommandModule<object, Options> = {
  command: "status [service]",
  describe: "List what was applied and what was not",
  builder: (argv) =>
    databaseOptions(argv)
      .usage(
        "$0 migrate status [service]\n\nLists the migrations of each service. Exits with 100 if a database lacks one.",
      )
      .example("$0 migrate status", "All services")
      .example("$0 migrate status --json | jq '.[].pending'", "For programs"),
  handler: (options) => act(options, async (databases) => (await import("./migrate-databases.js")).status(databases)),
};

const verify: CommandModule<object, Options> = {
  command: "verify [service]",
  describe: "Say every difference between ledger, files and the tables that there are",
  builder: (argv) =>
    databaseOptions(argv)
      .usage(
        "$0 migrate verify [service]\n\nCompares the ledger with the files, and columns, types, nullability, defaults and " +
          "indexes with the newest snapshot. Exits with 100 if anything differs.",
      )
      .example("$0 migrate verify", "All services")
      .example('$0 migrate verify orders --url "$DATABASE_URL"', "One database"),
  handler: (options) =>
    act(options, async (databases, root) => (await import("./migrate-databases.js")).verify(databases, root)),
};

export const migrate: CommandModule = {
  command: "migrate",
  describe: "Plan migrations, apply them, and compare databases with them",
  builder: (argv) =>
    [plan, up, status, verify]
      .reduce<Argv>((all, command) => all.command(command as CommandModule), argv)
      .usage("$0 migrate <command>\n\nMigrations are planned from the contracts; scaffold generate writes them.")
      .demandCommand(1, "Name what to do: plan, up, status or verify")
      .example("$0 migrate plan", "What generate would write")
      .example("$0 migrate up", "Bring the running system's databases up to date"),
  handler() {},
};

function databaseOptions(argv: Argv): Argv<Options> {
  return argv
    .positional("service", { type: "string", describe: "One service; default: all that have migrations" })
    .option("url", {
      type: "string",
      requiresArg: true,
      describe: "Its database; default: that of the system that runs in this project",
    })
    .option("json", jsonOption);
}

async function act(
  { service, url, json }: Options,
  run: (databases: readonly ServiceDatabase[], root: string) => Promise<Outcome>,
): Promise<void> {
  const settings = await project();
  const { chooseDatabases } = await import("../migrate/databases.js");
  print(await run(await chooseDatabases(settings, { service, url }), settings.root), json);
}
