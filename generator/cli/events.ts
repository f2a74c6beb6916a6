import type { Argv, CommandModule } from "yargs";
import { project } from "./project.js";

const jsonOption = { type: "boolean", default: false, describe: "Print one JSON document" } as const;
const urlOption = {
  type: "string",
  requiresArg: true,
  describe: "The service's database; default: that of the system that runs in this project",
} as const;
const groupOption = { type: "string", requiresArg: true, describe: "The service that consumes" } as const;
const topicOption = { type: "string", requiresArg: true, describe: "One topic" } as const;
const dryRunOption = { alias: "d", type: "boolean", default: false, describe: "Only say what would be done" } as const;

interface TailOptions {
  topic: string[];
  service?: string;
  url?: string;
  from?: string;
  limit?: number;
  follow: boolean;
  json: boolean;
}

const tail: CommandModule<object, TailOptions> = {
  command: "tail [topic..]",
  describe: "Print what services publish, as it comes",
  builder: (argv) =>
    argv
      .usage(
        "$0 events tail [topic..]\n\nPrints events as services publish them, a line each: time, topic, position, key, id, and the " +
          "message as JSON. Ctrl-C ends it.",
      )
      .positional("topic", { type: "string", array: true, default: [] as string[], describe: "Default: all" })
      .option("service", { type: "string", requiresArg: true, describe: "Only what this one publishes" })
      .option("url", urlOption)
      .option("from", {
        type: "string",
        requiresArg: true,
        describe: "beginning, a time (RFC 3339) or a position; default: only what is new",
      })
      .option("limit", { type: "number", requiresArg: true, describe: "End after so many" })
      .option("follow", {
        type: "boolean",
        default: true,
        describe: "Wait for what is new; --no-follow ends before that",
      })
      .option("json", { ...jsonOption, describe: "Print a JSON document a line" })
      .example("$0 events tail", "All that is published from now on")
      .example("$0 events tail shop.orders.order-placed --from beginning --limit 5", "The oldest that are kept")
      .example("$0 events tail --json --no-follow --from 2026-01-01T00:00:00Z | jq .event", "For programs"),
  async handler({ topic, service, url, from, limit, follow, json }) {
    if (limit !== undefined && !(Number.isSafeInteger(limit) && limit > 0)) {
      throw new Error("--limit is a number of events, 1 or more");
    }
    const settings = await project();
    const { tail } = await import("../operate/events/tail.js");
    await tail(settings, { topics: topic, service, url, from, limit, follow, json });
  },
};

const lag: CommandModule<object, { group?: string; topic?: string; url?: string; json: boolean }> = {
  command: "lag",
  describe: "Say how far consumers are behind, and how much has not reached the broker",
  builder: (argv) =>
    argv
      .usage(
        "$0 events lag\n\nLists each subscription: events still before it at the broker, waiting for another try, among the dead " +
          "letters, and those that never reached it; and each publisher: events that the broker does not have yet. BROKER_URL names the broker; default: the running " +
          "system's own.",
      )
      .option("group", groupOption)
      .option("topic", topicOption)
      .option("url", urlOption)
      .option("json", jsonOption)
      .example("$0 events lag", "Of the system that runs")
      .example("$0 events lag --json | jq '[.subscriptions[].lag] | add'", "For programs"),
  async handler({ group, topic, url, json }) {
    const settings = await project();
    const { lag } = await import("../operate/events/lag.js");
    await lag(settings, { group, topic, url, json });
  },
};

interface ReplayOptions {
  topic: string;
  group: string;
  missing: boolean;
  url?: string;
  from: string;
  to?: string;
  "dry-run": boolean;
  wait: boolean;
  json: boolean;
}

const replay: CommandModule<object, ReplayOptions> = {
  command: "replay",
  describe: "Have a consumer handle events once more",
  builder: (argv) =>
    argv
      .usage(
        "$0 events replay --topic <topic> --group <service>\n\nSends events once more, to one consumer alone, from what their publisher " +
          "keeps. Both ends belong to what is sent. With --missing: only those that never reached it, for the first time.",
      )
      .option("topic", { ...topicOption, demandOption: true, describe: "What to replay" })
      .option("group", { ...groupOption, demandOption: true })
      .option("from", {
        type: "string",
        requiresArg: true,
        default: "beginning",
        describe: "beginning, a time (RFC 3339) or a position",
      })
      .option("to", { type: "string", requiresArg: true, describe: "A time or a position; default: the newest event" })
      .option("missing", {
        type: "boolean",
        default: false,
        describe: "Only events that never reached the group, as lag counts them",
      })
      .option("url", { ...urlOption, describe: "The publisher's database; default: that of the system that runs here" })
      .option("dry-run", { ...dryRunOption, describe: "Only say how many events, and from when to when" })
      .option("wait", { type: "boolean", default: true, describe: "Wait until all are sent; --no-wait does not" })
      .option("json", jsonOption)
      .example("$0 events replay --topic shop.orders.order-placed --group analytics --dry-run", "How many would it be?")
      .example(
        "$0 events replay --topic shop.orders.order-placed --group analytics --from 2026-01-01T00:00:00Z",
        "All since then",
      )
      .example(
        "$0 events replay --missing --topic shop.orders.order-placed --group analytics",
        "What was lost on its way",
      ),
  async handler({ topic, group, missing, url, from, to, dryRun, wait, json }) {
    const settings = await project();
    const { replay } = await import("../operate/events/replay.js");
    await replay(settings, { topic, group, missing, url, from, to, dryRun: dryRun as boolean, wait, json });
  },
};

interface Selection {
  group?: string;
  topic?: string;
  from?: string;
  to?: string;
  url?: string;
  json: boolean;
}

interface SettleOptions extends Selection {
  ids: string[];
  all: boolean;
  "dry-run": boolean;
  yes: boolean;
}

const list: CommandModule<object, Selection & { limit: number }> = {
  command: "list",
  describe: "List dead letters, with their reasons",
  builder: (argv) =>
    selection(argv)
      .usage("$0 events dlq list\n\nLists the events that consumers have given up, the oldest first.")
      .option("limit", { type: "number", requiresArg: true, default: 100, describe: "The most of each group" })
      .example("$0 events dlq list", "All groups")
      .example("$0 events dlq list --group analytics --json | jq '.[].reason'", "For programs"),
  async handler({ group, topic, from, to, url, limit, json }) {
    if (!(Number.isSafeInteger(limit) && limit > 0)) throw new Error("--limit is a number of dead letters, 1 or more");
    const settings = await project();
    const { listLetters } = await import("../operate/events/dead-letters.js");
    await listLetters(settings, { group, topic, from, to, url, limit, json });
  },
};

const redrive = settling("redrive", "Have dead letters tried again, each before what came after it", [
  ["$0 events dlq redrive analytics/17", "One"],
  ["$0 events dlq redrive --all --topic shop.orders.order-placed --dry-run", "Which would it be?"],
]);

const discard = settling("discard", "Forget dead letters for good; keys that wait for them go on", [
  ["$0 events dlq discard analytics/17", "One"],
  ["$0 events dlq discard --all --group analytics --yes", "All of a group, unasked"],
]);

function settling(
  verb: "redrive" | "discard",
  describe: string,
  examples: readonly [string, string][],
): CommandModule<object, SettleOptions> {
  return {
    command: `${verb} [ids..]`,
    describe,
    builder: (argv) =>
      selection(argv)
        .usage(`$0 events dlq ${verb} [ids..]\n\n${describe}. Consumers may be at work meanwhile.`)
        .positional("ids", { type: "string", array: true, default: [] as string[], describe: "As list names them" })
        .option("all", { type: "boolean", default: false, describe: "All that the other options leave" })
        .option("dry-run", dryRunOption)
        .option("yes", { alias: "y", type: "boolean", default: false, describe: "Do not ask" })
        .example([...examples]),
    async handler({ ids, group, topic, from, to, url, all, dryRun, yes, json }) {
      const settings = await project();
      const { settleLetters } = await import("../operate/events/dead-letters.js");
      const options = { ids, group, topic, from, to, url, all, dryRun: dryRun as boolean, yes, json };
      await settleLetters(settings, verb, options);
    },
  };
}

function selection<T>(argv: Argv<T>): Argv<T & Selection> {
  return argv
    .option("group", { ...groupOption, describe: "The service whose dead letters they are; default: all" })
    .option("topic", topicOption)
    .option("from", { type: "string", requiresArg: true, describe: "Died at this time (RFC 3339) or later" })
    .option("to", { type: "string", requiresArg: true, describe: "Died at this time or earlier" })
    .option("url", urlOption)
    .option("json", jsonOption) as Argv<T & Selection>;
}

const dlq: CommandModule = {
  command: "dlq",
  describe: "List dead letters, have them tried again, or forget them",
  builder: (argv) =>
    [list, redrive, discard]
      .reduce<Argv>((all, command) => all.command(command as CommandModule), argv)
      .usage("$0 events dlq <command>\n\nEvents whose last try failed lie with their consumer until somebody decides.")
      .demandCommand(1, "Name what to do: list, redrive or discard")
      .example("$0 events dlq list", "What was given up, and why")
      .example("$0 events dlq redrive --all", "Try all of it again"),
  handler() {},
};

export const events: CommandModule = {
  command: "events",
  describe: "Watch events, replay them, and settle those that failed",
  builder: (argv) =>
    [tail, lag, replay, dlq]
      .reduce<Argv>((all, command) => all.command(command as CommandModule), argv)
      .usage(
        "$0 events <command>\n\nLooks after the events of the system that runs in this project, or of databases elsewhere.",
      )
      .demandCommand(1, "Name what to do: tail, lag, replay or dlq")
      .example("$0 events tail", "What is published")
      .example("$0 events lag", "Who is behind"),
  handler() {},
};
