import { setTimeout as sleep } from "node:timers/promises";
import type { Settings } from "../../project/settings.js";
import { eventDatabases } from "./databases.js";
import { loadOperations, type OutboxReader, type Point, type Published } from "./operations.js";
import { parsePoint } from "./point.js";
import { cell, contentOf, contentText } from "./show.js";
import { stopSignal } from "./stop.js";
import { type EventSystem, readEventSystem, type Topic, unknown } from "./system.js";

export interface TailOptions {
  /** Default: all topics. */
  readonly topics: readonly string[];
  /** Only events of this publisher. */
  readonly service: string | undefined;
  readonly url: string | undefined;
  /** Default: new events. */
  readonly from: string | undefined;
  /** The number of events after which it ends. */
  readonly limit: number | undefined;
  /** Whether to wait for new events. */
  readonly follow: boolean;
  readonly json: boolean;
}

/** The polling interval of outboxes, in milliseconds. */
const POLL_MS = 250;
const BATCH = 500;

/** Prints the events of services as they are published, until it is stopped. */
export async function tail(settings: Settings, options: TailOptions): Promise<void> {
  const { limit = Number.POSITIVE_INFINITY, json } = options;
  const signal = stopSignal();
  const from = options.from === undefined ? undefined : parsePoint("--from", options.from);
  const system = await readEventSystem(settings);
  const topics = chosenTopics(system, options);
  const services = system.publishers.filter((name) => topics.some(({ publisher }) => publisher === name));
  if (services.length > 1 && from?.position !== undefined && from.position !== "0") {
    throw new Error(`Positions are those of one service; say by --service of which: ${services.join(", ")}`);
  }
  const [urlOf, { openOutbox }] = await Promise.all([
    eventDatabases(settings.root, options.url, services, "--service"),
    loadOperations(),
  ]);
  const sources = services.map((service) => {
    const names = topics.filter(({ publisher }) => publisher === service).map(({ name }) => name);
    return new Source(service, openOutbox(urlOf(service)), names);
  });
  try {
    await Promise.all(sources.map((source) => source.begin(from)));
    let printed = 0;
    while (!signal.aborted && printed < limit) {
      const found = merge(sources);
      if (found !== undefined) {
        process.stdout.write(`${json ? asJson(system, found) : asText(system, found)}\n`);
        printed++;
        continue;
      }
      const isMore = await Promise.all(sources.map((source) => source.fill()));
      if (isMore.includes(true)) continue;
      if (!options.follow) return;
      await sleep(POLL_MS, undefined, { signal }).catch(() => undefined);
    }
  } finally {
    await Promise.all(sources.map(({ reader }) => reader.close()));
  }
}

function chosenTopics(system: EventSystem, { topics, service }: TailOptions): Topic[] {
  if (service !== undefined && !system.publishers.includes(service)) unknown("publisher", service, system.publishers);
  const asked = topics.length === 0 ? system.topics : topics.map((name) => system.topic(name));
  const chosen = asked.filter(
    ({ publisher }) => publisher !== undefined && (service === undefined || publisher === service),
  );
  if (chosen.length > 0) return chosen;
  const whose = service === undefined ? "no service of this system publishes" : `${service} does not publish`;
  throw new Error(`${whose} to ${asked.map(({ name }) => name).join(", ")}`);
}

/** A buffer of one service's events. */
class Source {
  readonly #topics: readonly string[];
  #buffer: Published[] = [];
  #at = "0";
  /** Whether more events may be available at once. */
  #isFull = true;

  constructor(
    readonly service: string,
    readonly reader: OutboxReader,
    topics: readonly string[],
  ) {
    this.#topics = topics;
  }

  async begin(from: Point | undefined): Promise<void> {
    this.#at = await this.reader.before(from);
  }

  get head(): Published | undefined {
    return this.#buffer[0];
  }

  /** Whether its buffer is empty although it has more events: then the next event of all services is unknown. */
  get isUnread(): boolean {
    return this.#buffer.length === 0 && this.#isFull;
  }

  shift(): Published | undefined {
    return this.#buffer.shift();
  }

  /** Fills the buffer if it is empty. Returns whether it has events. */
  async fill(): Promise<boolean> {
    if (this.#buffer.length > 0) return true;
    const { events, at } = await this.reader.read(this.#at, this.#topics, BATCH);
    this.#buffer = events;
    this.#at = at;
    this.#isFull = events.length === BATCH;
    return events.length > 0;
  }
}

interface Found {
  readonly service: string;
  readonly event: Published;
}

/** Returns the next event by time, in the order of positions for each service. Undefined: a buffer must be filled first. */
function merge(sources: readonly Source[]): Found | undefined {
  if (sources.some(({ isUnread }) => isUnread)) return undefined;
  let first: Source | undefined;
  for (const source of sources) {
    if (source.head === undefined) continue;
    if (first === undefined || source.head.time < first.head!.time) first = source;
  }
  return first && { service: first.service, event: first.shift()! };
}

function asText(system: EventSystem, { event }: Found): string {
  const { time, topic, position, key, attributes } = event;
  const head = [time.toISOString(), topic, position, cell(key), cell(attributes.id ?? "")].join(" ");
  return `${head} ${contentText(contentOf(system, event))}`;
}

function asJson(system: EventSystem, { service, event }: Found): string {
  const { time, topic, position, key, attributes } = event;
  return JSON.stringify({ time, service, topic, position, key, attributes, ...contentOf(system, event) });
}
