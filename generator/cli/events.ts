import type { Argv, CommandModule } from "yargs";
import { project } from "./project.js";

const jsonOption = { type: "boolean", default: false, describe: "Print one JSON document" } as const;
const urlOption = {
  type: "string",
  requiresArg: true,
  describe: "The service's database; default: that of the running system",
} as const;
const groupOption = { type: "string", requiresArg: true, describe: "The consuming service" } as const;
const topicOption = { type: "string", requiresArg: true, describe: "One topic" } as const;
const dryRunOption = { alias: "d", type: "boolean", default: false, describe: "Print what would be done" } as const;

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
  describe: "Print events as they are published",
  builder: (argv) =>
    argv
      .usage(
        "$0 events tail [topic..]\n\nPrints events as services publish them, one a line: time, topic, position, key, id, and the " +
          "message as JSON. Ctrl-C ends it.",
      )
      .positional("topic", { type: "string", array: true, default: [] as string[], describe: "Default: all" })
      .option("service", { type: "string", requiresArg: true, describe: "Only events of this publisher" })
      .option("url", urlOption)
      .option("from", {
        type: "string",
        requiresArg: true,
        describe: "beginning, a time (RFC 3339) or a position; default: new events only",
      })
      .option("limit", { type: "number", requiresArg: true, describe: "End after so many events" })
      .option("follow", {
        type: "boolean",
        default: true,
        describe: "Wait for new events; --no-follow does not",
      })
      .option("json", { ...jsonOption, describe: "Print one JSON document a line" })
      .example("$0 events tail", "Print events from now on")
      .example("$0 events tail shop.orders.order-placed --from beginning --limit 5", "Print the five oldest events")
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
  describe: "Print how far consumers are behind, and what has not reached the broker",
  builder: (argv) =>
    argv
      .usage(
        "$0 events lag\n\nLists each subscription: events at the broker that it has not taken, waiting events, dead " +
          "letters and missing events; and each publisher: events that have not reached the broker. BROKER_URL names the broker; default: that of the running " +
          "system.",
      )
      .option("group", groupOption)
      .option("topic", topicOption)
      .option("url", urlOption)
      .option("json", jsonOption)
      .example("$0 events lag", "Look at the running system")
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
  describe: "Send events to one consumer again",
  builder: (argv) =>
    argv
      .usage(
        "$0 events replay --topic <topic> --group <service>\n\nSends events to one consumer again, from the outbox of their " +
          "publisher. --from and --to are inclusive. With --missing: only events that never reached it.",
      )
      .option("topic", { ...topicOption, demandOption: true, describe: "The topic to replay" })
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
        describe: "Only events that lag counts as missing",
      })
      .option("url", { ...urlOption, describe: "The publisher's database; default: that of the running system" })
      .option("dry-run", { ...dryRunOption, describe: "Print the number of events and their times" })
      .option("wait", { type: "boolean", default: true, describe: "Wait until all are sent; --no-wait does not" })
      .option("json", jsonOption)
      .example(
        "$0 events replay --topic shop.orders.order-placed --group analytics --dry-run",
        "Print how many it would be",
      )
      .example(
        "$0 events replay --topic shop.orders.order-placed --group analytics --from 2026-01-01T00:00:00Z",
        "Send all since then",
      )
      .example("$0 events replay --missing --topic shop.orders.order-placed --group analytics", "Send lost events"),
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
      .option("limit", { type: "number", requiresArg: true, default: 100, describe: "How many of each group, at most" })
      .example("$0 events dlq list", "List those of all groups")
      .example("$0 events dlq list --group analytics --json | jq '.[].reason'", "For programs"),
  async handler({ group, topic, from, to, url, limit, json }) {
    if (!(Number.isSafeInteger(limit) && limit > 0)) throw new Error("--limit is a number of dead letters, 1 or more");
    const settings = await project();
    const { listLetters } = await import("../operate/events/dead-letters.js");
    await listLetters(settings, { group, topic, from, to, url, limit, json });
  },
};

const redrive = settling("redrive", "Put dead letters back for new attempts, each before later events of its key", [
  ["$0 events dlq redrive analytics/17", "Redrive one"],
  ["$0 events dlq redrive --all --topic shop.orders.order-placed --dry-run", "List those that would be redriven"],
]);

const discard = settling("discard", "Delete dead letters; keys that wait for them continue", [
  ["$0 events dlq discard analytics/17", "Discard one"],
  ["$0 events dlq discard --all --group analytics --yes", "Discard all of a group without a question"],
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
        .usage(`$0 events dlq ${verb} [ids..]\n\n${describe}. Consumers may run meanwhile.`)
        .positional("ids", {
          type: "string",
          array: true,
          default: [] as string[],
          describe: "Names, as list prints them",
        })
        .option("all", { type: "boolean", default: false, describe: "All that the other options select" })
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
    .option("group", { ...groupOption, describe: "The consuming service; default: all" })
    .option("topic", topicOption)
    .option("from", { type: "string", requiresArg: true, describe: "Dead since this time (RFC 3339)" })
    .option("to", { type: "string", requiresArg: true, describe: "Dead until this time" })
    .option("url", urlOption)
    .option("json", jsonOption) as Argv<T & Selection>;
}

const dlq: CommandModule = {
  command: "dlq",
  describe: "List dead letters, redrive them, or discard them",
  builder: (argv) =>
    [list, redrive, discard]
      .reduce<Argv>((all, command) => all.command(command as CommandModule), argv)
      .usage(
        "$0 events dlq <command>\n\nAn event whose last attempt failed is a dead letter of its consumer until it is redriven or discarded.",
      )
      .demandCommand(1, "Name what to do: list, redrive or discard")
      .example("$0 events dlq list", "List dead letters with their reasons")
      .example("$0 events dlq redrive --all", "Redrive all of them"),
  handler() {},
};

export const events: CommandModule = {
  command: "events",
  describe: "Watch events, replay them, and settle dead letters",
  builder: (argv) =>
    [tail, lag, replay, dlq]
      .reduce<Argv>((all, command) => all.command(command as CommandModule), argv)
      .usage("$0 events <command>\n\nWorks on the events of the running system, or of databases elsewhere.")
      .demandCommand(1, "Name what to do: tail, lag, replay or dlq")
      .example("$0 events tail", "Print events as they are published")
      .example("$0 events lag", "Print which consumers are behind"),
  handler() {},
};
