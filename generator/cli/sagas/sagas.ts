import type { Argv, CommandModule } from "yargs";
import type { DatabaseChoice } from "../../migrate/databases.js";
import { type CommandOutcome, print } from "../print/act.js";
import { project } from "../project.js";

const filters = ["unfinished", "stuck", "running", "compensating", "completed", "compensated", "all"] as const;

interface Options extends DatabaseChoice {
  json: boolean;
}

const list: CommandModule<object, Options & { state: (typeof filters)[number]; limit: number }> = {
  command: "list [service]",
  describe: "List sagas, by default those that have not ended",
  builder: (argv) =>
    databaseOptions(argv)
      .positional("service", { type: "string", describe: "One service; default: all" })
      .usage("$0 sagas list [service]\n\nLists sagas, the latest first. Exits with 100 if one of them is stuck.")
      .option("state", { choices: filters, default: "unfinished" as const, describe: "Which sagas" })
      .option("limit", { type: "number", default: 100, describe: "How many of each service, at most" })
      .example("$0 sagas list", "List running sagas")
      .example("$0 sagas list orders --state stuck --json", "Print stuck sagas as JSON"),
  handler: ({ state, limit, ...options }) =>
    act(options, async (target) => (await import("./act.js")).list(target, { filter: state, limit })),
};

const show: CommandModule<object, Options & { id: string }> = {
  command: "show <id>",
  describe: "Print a saga with its requests and responses",
  builder: (argv) =>
    saga(argv)
      .usage("$0 sagas show <id>\n\nPrints one saga: its input, and each step's state, request and response.")
      .example("$0 sagas show 019a0b5e-7c1e-7b60-9f3e-3d2f1b8c0a11", "Print one"),
  handler: ({ id, ...options }) => act(options, async (target) => (await import("./act.js")).show(target, id)),
};

const retry: CommandModule<object, Options & { id: string }> = {
  command: "retry <id>",
  describe: "Attempt a waiting saga's next step now",
  builder: (argv) =>
    saga(argv)
      .usage("$0 sagas retry <id>\n\nAttempts the next step of a saga now, without its remaining delay.")
      .example("$0 sagas retry 019a0b5e-7c1e-7b60-9f3e-3d2f1b8c0a11", "After the cause is settled"),
  handler: ({ id, ...options }) => act(options, async (target) => (await import("./act.js")).retry(target, id)),
};

const compensate: CommandModule<object, Options & { id: string; reason: string }> = {
  command: "compensate <id>",
  describe: "Compensate a saga, running or completed",
  builder: (argv) =>
    saga(argv)
      .usage(
        "$0 sagas compensate <id>\n\nCompensates every step of a saga, the last first, whether it runs or has completed.",
      )
      .option("reason", { type: "string", requiresArg: true, default: "undone by hand", describe: "Why" })
      .example("$0 sagas compensate 019a0b5e-7c1e-7b60-9f3e-3d2f1b8c0a11 --reason recalled", "Compensate one"),
  handler: ({ id, reason, ...options }) =>
    act(options, async (target) => (await import("./act.js")).compensate(target, id, reason)),
};

const audit: CommandModule<object, Omit<Options, "url"> & { url: string[] }> = {
  command: "audit",
  describe: "Report where sagas and the called services disagree",
  builder: (argv) =>
    argv
      .usage(
        "$0 sagas audit\n\nCompares each step of each saga with the called service's record of it: done, undone, and the " +
          "response. For after a partition or a failover. Exits with 100 if anything differs.",
      )
      .option("url", {
        type: "string",
        array: true,
        nargs: 1,
        default: [] as string[],
        describe: "A service's database, <service>=<url>; default: that of the running system",
      })
      .option("json", { type: "boolean", default: false, describe: "Print one JSON document" })
      .example("$0 sagas audit", "Compare in the running system")
      .example('$0 sagas audit --url "orders=$ORDERS_DB" --url "payments=$PAYMENTS_DB"', "Compare databases elsewhere"),
  async handler({ url, json }) {
    print(await (await import("./act.js")).audit(await project(), url), json);
  },
};

export const sagas: CommandModule = {
  command: "sagas",
  describe: "List sagas, retry and compensate them, and compare both sides",
  builder: (argv) =>
    [list, show, retry, compensate, audit]
      .reduce<Argv>((all, command) => all.command(command as CommandModule), argv)
      .usage("$0 sagas <command>\n\nWorks on the sagas of the running system, or of a database elsewhere.")
      .demandCommand(1, "Name what to do: list, show, retry, compensate or audit")
      .example("$0 sagas list", "List running sagas"),
  handler() {},
};

function databaseOptions(argv: Argv): Argv<Options> {
  return argv
    .option("url", {
      type: "string",
      requiresArg: true,
      describe: "The database; default: that of the running system",
    })
    .option("json", { type: "boolean", default: false, describe: "Print one JSON document" }) as Argv<Options>;
}

function saga(argv: Argv): Argv<Options & { id: string }> {
  return databaseOptions(argv)
    .positional("id", { type: "string", demandOption: true, describe: "The saga's id" })
    .option("service", {
      type: "string",
      requiresArg: true,
      describe: "The service that started it; default: found by the id",
    });
}

async function act({ service, url, json }: Options, run: (target: Target) => Promise<CommandOutcome>): Promise<void> {
  const settings = await project();
  const { chooseDatabases } = await import("../../migrate/databases.js");
  print(await run({ settings, databases: await chooseDatabases(settings, { service, url }) }), json);
}

type Target = import("./act.js").Target;
