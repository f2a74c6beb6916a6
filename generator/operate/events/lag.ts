import { columns } from "../../dev/terminal.js";
import type { Settings } from "../../project/settings.js";
import { brokerUrl, eventDatabases } from "./databases.js";
import { loadOperations, type Operations } from "./operations.js";
import { age } from "./show.js";
import { assertConsumes, readEventSystem, unknown } from "./system.js";

export interface LagOptions {
  readonly group: string | undefined;
  readonly topic: string | undefined;
  readonly url: string | undefined;
  readonly json: boolean;
}

/** The time limit for the broker, in milliseconds. */
const BROKER_TIMEOUT_MS = 10_000;

/** Prints the lag of groups, and the number of events that have not reached the broker. */
export async function lag(settings: Settings, { group, topic, url, json }: LagOptions): Promise<void> {
  const system = await readEventSystem(settings);
  if (group !== undefined && !system.groups.includes(group)) unknown("group", group, system.groups);
  const topics = topic === undefined ? system.topics : [system.topic(topic)];
  if (group !== undefined && topic !== undefined) assertConsumes(system, group, topics[0]!);
  const groups = system.groups.filter(
    (name) => (group === undefined || group === name) && topics.some((each) => each.groups.includes(name)),
  );
  // A query for one group excludes publishers.
  const publishers = system.publishers.filter(
    (name) => group === undefined && topics.some(({ publisher }) => publisher === name),
  );
  const services = [...new Set([...groups, ...publishers])];
  const urlOf = await eventDatabases(settings.root, url, services, "--group");
  const operations = await loadOperations();
  const { readBacklog, outboxDepth } = operations;
  const behind = await lagAtBroker(operations, await brokerUrl(settings.root), groups, topics);

  const subscriptions: Subscription[] = [];
  for (const name of groups) {
    const backlog = await readBacklog(urlOf(name), name);
    for (const consumed of topics.filter((each) => each.groups.includes(name))) {
      const { waiting = 0, deadLetters = 0, missing = 0, oldest = null } = backlog.get(consumed.name) ?? {};
      const lag =
        behind
          .get(name)
          ?.get(consumed.name)
          ?.reduce((sum, each) => sum + each, 0) ?? null;
      subscriptions.push({ group: name, topic: consumed.name, lag, waiting, deadLetters, missing, oldest });
    }
  }
  const outboxes: Outbox[] = [];
  for (const service of publishers) outboxes.push({ service, ...(await outboxDepth(urlOf(service))) });
  if (json) process.stdout.write(`${JSON.stringify({ subscriptions, outboxes })}\n`);
  else print(subscriptions, outboxes);
}

interface Subscription {
  readonly group: string;
  readonly topic: string;
  /** The number of events that the group has not consumed. Null: the broker does not report it. */
  readonly lag: number | null;
  readonly waiting: number;
  readonly deadLetters: number;
  /** The number of events that never reached the group and are not pending. */
  readonly missing: number;
  readonly oldest: Date | null;
}

interface Outbox {
  readonly service: string;
  readonly depth: number;
  readonly oldest: Date | null;
}

/** Prints that the broker does not respond: the other numbers are useful then, too. */
async function lagAtBroker(
  { openBroker }: Operations,
  url: string | undefined,
  groups: readonly string[],
  topics: readonly { readonly name: string; readonly groups: readonly string[] }[],
): Promise<ReadonlyMap<string, ReadonlyMap<string, readonly number[]>>> {
  if (url === undefined) {
    process.stderr.write("lag is not known: say by BROKER_URL where the broker is\n");
    return new Map();
  }
  const note = (what: string) =>
    process.stderr.write(`lag is not known: the broker at ${hostsOf(url)} ${what}. BROKER_URL names another\n`);
  let timer: NodeJS.Timeout | undefined;
  const broker = await openBroker(url, { service: "scaffold" });
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error("nothing")), BROKER_TIMEOUT_MS);
  });
  try {
    const all = new Map<string, ReadonlyMap<string, readonly number[]>>();
    for (const group of groups) {
      const consumed = topics.filter((topic) => topic.groups.includes(group)).map(({ name }) => name);
      all.set(group, await Promise.race([broker.lag(group, consumed), late]));
    }
    if (groups.length > 0 && [...all.values()].every(({ size }) => size === 0)) {
      note("has none of these topics");
    }
    return all;
  } catch (error) {
    note(`says: ${(error as Error).message}`);
    return new Map();
  } finally {
    clearTimeout(timer);
    await broker.close().catch(() => undefined);
  }
}

/** Returns a broker's hosts, without its password. A cluster's URL has several, which `URL` does not parse. */
function hostsOf(url: string): string {
  return /^[^:]+:\/\/(?:.*@)?([^/?#]*)/.exec(url)?.[1] ?? "";
}

function print(subscriptions: readonly Subscription[], outboxes: readonly Outbox[]): void {
  const tables: string[] = [];
  if (subscriptions.length > 0) {
    const rows = subscriptions.map(({ group, topic, lag, waiting, deadLetters, missing, oldest }) => [
      group,
      topic,
      String(lag ?? "?"),
      String(waiting),
      String(deadLetters),
      String(missing),
      age(oldest),
    ]);
    tables.push(columns(["group", "topic", "lag", "waiting", "dead letters", "missing", "oldest waits"], rows));
  }
  if (outboxes.length > 0) {
    const rows = outboxes.map(({ service, depth, oldest }) => [service, String(depth), age(oldest)]);
    tables.push(columns(["publisher", "depth", "oldest waits"], rows));
  }
  process.stdout.write(tables.join("\n"));
}
