import type { Argv, CommandModule } from "yargs";
import type { DatabaseChoice, ServiceDatabase } from "../../migrate/databases.js";
import { type Allowable, allowOption } from "../allow.js";
import { type CommandOutcome, print } from "../print/act.js";
import { type ErrorFormat, errorFormatOption } from "../print/report.js";
import { project } from "../project.js";

interface Options extends DatabaseChoice {
  json: boolean;
}

const jsonOption = { type: "boolean", default: false, describe: "Print one JSON document" } as const;

const plan: CommandModule<object, { allow: Allowable[]; json: boolean; "error-format": ErrorFormat }> = {
  command: "plan",
  describe: "Print the migrations that generate would write, and what each statement locks, rewrites or deletes",
  builder: (argv) =>
    argv
      .usage(
        "$0 migrate plan\n\nPrints the migrations that generate would write. Writes nothing, and needs no database.",
      )
      .option("allow", allowOption)
      .option("json", jsonOption)
      .option("error-format", errorFormatOption)
      .example("$0 migrate plan", "Print the next migrations")
      .example("$0 migrate plan --allow MIGRATION_LOSES_DATA", "Include what would be dropped"),
  async handler({ allow, json, errorFormat }) {
    const { previewMigrations } = await import("./plan.js");
    await previewMigrations(await project(), { allow, json, errorFormat });
  },
};

const up: CommandModule<object, Options> = {
  command: "up [service]",
  describe: "Apply missing migrations to databases",
  builder: (argv) =>
    databaseOptions(argv)
      .usage(
        "$0 migrate up [service]\n\nApplies missing migrations in order, each once. After a failure or a crash it continues where it stopped.",
      )
      .example("$0 migrate up", "Migrate all databases of the running system")
      .example(
        "$0 migrate up orders --url postgres://user:password@host:5432/orders",
        "Migrate one database elsewhere",
      ),
  handler: (options) => act(options, async (databases) => (await import("./databases.js")).up(databases)),
};

const status: CommandModule<object, Options> = {
  command: "status [service]",
  describe: "List applied and pending migrations",
  builder: (argv) =>
    databaseOptions(argv)
      .usage(
        "$0 migrate status [service]\n\nLists the migrations of each service. Exits with 100 if a database lacks one.",
      )
      .example("$0 migrate status", "Look at all services")
      .example("$0 migrate status --json | jq '.[].pending'", "Print the pending migrations of each service"),
  handler: (options) => act(options, async (databases) => (await import("./databases.js")).status(databases)),
};

const verify: CommandModule<object, Options> = {
  command: "verify [service]",
  describe: "Report every difference between ledger, files and tables",
  builder: (argv) =>
    databaseOptions(argv)
      .usage(
        "$0 migrate verify [service]\n\nCompares the ledger with the files, and columns, types, nullability, defaults and " +
          "indexes with the newest snapshot. Exits with 100 if anything differs.",
      )
      .example("$0 migrate verify", "Look at all services")
      .example('$0 migrate verify orders --url "$DATABASE_URL"', "Compare one database"),
  handler: (options) =>
    act(options, async (databases, root) => (await import("./databases.js")).verify(databases, root)),
};

export const migrate: CommandModule = {
  command: "migrate",
  describe: "Plan and apply migrations, and compare databases with them",
  builder: (argv) =>
    [plan, up, status, verify]
      .reduce<Argv>((all, command) => all.command(command as CommandModule), argv)
      .usage(
        "$0 migrate <command>\n\nscaffold generate writes migrations from the contracts. These commands look at them and apply them.",
      )
      .demandCommand(1, "Name what to do: plan, up, status or verify")
      .example("$0 migrate plan", "Print the next migrations")
      .example("$0 migrate up", "Migrate the databases of the running system"),
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
  run: (databases: readonly ServiceDatabase[], root: string) => Promise<CommandOutcome>,
): Promise<void> {
  const settings = await project();
  const { chooseDatabases } = await import("../../migrate/databases.js");
  print(await run(await chooseDatabases(settings, { service, url }), settings.root), json);
}
