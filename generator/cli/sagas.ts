import type { Argv, CommandModule } from "yargs";
import type { DatabaseChoice } from "../migrate/databases.js";
import { type Outcome, print } from "./act.js";
import { project } from "./project.js";

const filters = ["unfinished", "stuck", "running", "compensating", "completed", "compensated", "all"] as const;

interface Options extends DatabaseChoice {
  json: boolean;
}

const list: CommandModule<object, Options & { state: (typeof filters)[number]; limit: number }> = {
  command: "list [service]",
  describe: "List sagas that have not ended, or others",
  builder: (argv) =>
    databaseOptions(argv)
      .positional("service", { type: "string", describe: "One service; default: all that have migrations" })
      .usage("$0 sagas list [service]\n\nLists sagas, the latest first. Exits with 100 if one of them is stuck.")
      .option("state", { choices: filters, default: "unfinished" as const, describe: "Which" })
      .option("limit", { type: "number", default: 100, describe: "How many of a service at most" })
      .example("$0 sagas list", "What is on its way")
      .example("$0 sagas list orders --state stuck --json", "What somebody should look at, for programs"),
  handler: ({ state, limit, ...options }) =>
    act(options, async (target) => (await import("./sagas-act.js")).list(target, { filter: state, limit })),
};

const show: CommandModule<object, Options & { id: string }> = {
  command: "show <id>",
  describe: "Print a saga with all that it has asked and was answered",
  builder: (argv) =>
    saga(argv)
      .usage("$0 sagas show <id>\n\nPrints one saga: its input, and each step's state, request and answer.")
      .example("$0 sagas show 019a0b5e-7c1e-7b60-9f3e-3d2f1b8c0a11", "What became of an order?"),
  handler: ({ id, ...options }) => act(options, async (target) => (await import("./sagas-act.js")).show(target, id)),
};

const retry: CommandModule<object, Options & { id: string }> = {
  command: "retry <id>",
  describe: "Have a saga that waits go on at once",
  builder: (argv) =>
    saga(argv)
      .usage("$0 sagas retry <id>\n\nHas a saga that waits before its next attempt go on at once.")
      .example("$0 sagas retry 019a0b5e-7c1e-7b60-9f3e-3d2f1b8c0a11", "What stood in the way is mended"),
  handler: ({ id, ...options }) => act(options, async (target) => (await import("./sagas-act.js")).retry(target, id)),
};

const compensate: CommandModule<object, Options & { id: string; reason: string }> = {
  command: "compensate <id>",
  describe: "Have a saga undone, on its way or completed",
  builder: (argv) =>
    saga(argv)
      .usage("$0 sagas compensate <id>\n\nHas every step of a saga undone, the last first, whatever has become of it.")
      .option("reason", { type: "string", requiresArg: true, default: "undone by hand", describe: "Why" })
      .example("$0 sagas compensate 019a0b5e-7c1e-7b60-9f3e-3d2f1b8c0a11 --reason recalled", "Give all of it back"),
  handler: ({ id, reason, ...options }) =>
    act(options, async (target) => (await import("./sagas-act.js")).compensate(target, id, reason)),
};

const audit: CommandModule<object, Omit<Options, "url"> & { url: string[] }> = {
  command: "audit",
  describe: "Say where a saga and the services that it called disagree",
  builder: (argv) =>
    argv
      .usage(
        "$0 sagas audit\n\nCompares each step of each saga with what the called service has kept of it: what is done, undone and " +
          "answered. For after a partition or a failover. Exits with 100 if anything differs.",
      )
      .option("url", {
        type: "string",
        array: true,
        nargs: 1,
        default: [] as string[],
        describe: "A service's database, <service>=<url>; default: that of the system that runs in this project",
      })
      .option("json", { type: "boolean", default: false, describe: "Print one JSON document" })
      .example("$0 sagas audit", "The system that runs in this project")
      .example('$0 sagas audit --url "orders=$ORDERS_DB" --url "payments=$PAYMENTS_DB"', "Databases elsewhere"),
  async handler({ url, json }) {
    print(await (await import("./sagas-act.js")).audit(await project(), url), json);
  },
};

export const sagas: CommandModule = {
  command: "sagas",
  describe: "List sagas, have them go on or back, and compare both sides",
  builder: (argv) =>
    [list, show, retry, compensate, audit]
      .reduce<Argv>((all, command) => all.command(command as CommandModule), argv)
      .usage("$0 sagas <command>\n\nLooks at the sagas of the services that run, or of a database that is named.")
      .demandCommand(1, "Name what to do: list, show, retry, compensate or audit")
      .example("$0 sagas list", "What is on its way"),
  handler() {},
};

function databaseOptions(argv: Argv): Argv<Options> {
  return argv
    .option("url", {
      type: "string",
      requiresArg: true,
      describe: "The database; default: that of the system that runs in this project",
    })
    .option("json", { type: "boolean", default: false, describe: "Print one JSON document" }) as Argv<Options>;
}

function saga(argv: Argv): Argv<Options & { id: string }> {
  return databaseOptions(argv)
    .positional("id", { type: "string", demandOption: true, describe: "The saga's id" })
    .option("service", { type: "string", requiresArg: true, describe: "Whose it is; default: whoever has it" });
}

async function act({ service, url, json }: Options, run: (target: Target) => Promise<Outcome>): Promise<void> {
  const settings = await project();
  const { chooseDatabases } = await import("../migrate/databases.js");
  print(await run({ settings, databases: await chooseDatabases(settings, { service, url }) }), json);
}

type Target = import("./sagas-act.js").Target;
