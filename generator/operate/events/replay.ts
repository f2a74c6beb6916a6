import { setTimeout as sleep } from "node:timers/promises";
import type { Settings } from "../../project/settings.js";
import { eventDatabases } from "./databases.js";
import { loadOperations, type Operations, type Span } from "./operations.js";
import { parsePoint } from "./point.js";
import { count } from "./show.js";
import { stopSignal } from "./stop.js";
import { assertConsumes, readEventSystem } from "./system.js";

export interface ReplayOptions {
  readonly topic: string;
  readonly group: string;
  /** Whether to send only events that never reached the group. */
  readonly missing: boolean;
  readonly url: string | undefined;
  /** Default: the oldest event that is kept. */
  readonly from: string;
  /** Default: the newest event at the start. */
  readonly to: string | undefined;
  readonly dryRun: boolean;
  readonly wait: boolean;
  readonly json: boolean;
}

const POLL_MS = 200;

/** Sends events to a group again, and shows the progress. */
export async function replay(settings: Settings, options: ReplayOptions): Promise<void> {
  const { group, dryRun, wait, json } = options;
  const from = parsePoint("--from", options.from);
  const to = options.to === undefined ? undefined : parsePoint("--to", options.to);
  const system = await readEventSystem(settings);
  const topic = system.topic(options.topic);
  assertConsumes(system, group, topic);
  const { publisher } = topic;
  if (publisher === undefined) {
    throw new Error(`no service of this system publishes to ${topic.name}: who does has to replay it`);
  }
  const urlOf = await eventDatabases(settings.root, options.url, [publisher], "--topic");
  const url = urlOf(publisher);
  const operations = await loadOperations();
  const of = { group, source: topic.source ?? "", topic: topic.name };
  // Without access to the group's database, all are sent: the group skips duplicates.
  const unread = { numbers: "{(,)}", count: 0 };
  const read = async () => (options.url === undefined ? operations.readMissing(urlOf(group), of) : unread);
  const missing = options.missing ? await read() : undefined;
  if (options.missing && missing === undefined) throw new Error(`${group} misses no event of ${topic.name}`);
  const span = await operations.measureSpan(url, { topic: topic.name, from, to, numbers: missing?.numbers });
  if (span === undefined) throw new Error(await nothing(operations, url, topic.name, publisher));
  if (missing !== undefined && missing.count > span.events) {
    process.stderr.write(
      `${group} misses ${count(missing.count, "event")}, of which ${publisher} still keeps ${span.events} there that the broker takes\n`,
    );
  }
  const { events, first, last } = span;
  const described = `${count(events, "event")} of ${topic.name}, positions ${first} to ${last}, published ${span.from.toISOString()} to ${span.to.toISOString()}`;
  if (dryRun) {
    process.stdout.write(json ? `${JSON.stringify({ group, ...span })}\n` : `${group} would get ${described}\n`);
    return;
  }
  const id = await operations.requestReplay(url, group, span);
  process.stderr.write(`replay ${id}: ${group} gets ${described}\n`);
  const isOver = wait && (await follow(operations, url, id, span, publisher));
  if (json) process.stdout.write(`${JSON.stringify({ replay: id, group, ...span, finished: isOver })}\n`);
  else if (isOver) process.stdout.write(`replayed ${count(events, "event")}\n`);
}

/** Waits until all events are at the broker. Returns false if the user interrupts it. */
async function follow(
  { replayProgress }: Operations,
  url: string,
  id: string,
  { events }: Span,
  publisher: string,
): Promise<boolean> {
  const signal = stopSignal();
  let said = 0;
  let isWarned = false;
  while (!signal.aborted) {
    const progress = await replayProgress(url, id);
    if (progress === undefined || progress.isOver) return true;
    const sent = events - progress.left;
    if (sent !== said) process.stderr.write(`replay ${id}: ${sent} of ${events} sent\n`);
    said = sent;
    if (!progress.isRelayed && !isWarned) {
      process.stderr.write(`replay ${id}: ${publisher} does not run; it sends them when it does\n`);
      isWarned = true;
    }
    await sleep(POLL_MS, undefined, { signal }).catch(() => undefined);
  }
  process.stderr.write(`replay ${id}: goes on by itself\n`);
  return false;
}

/** Returns which events exist, if none are in the selected range. */
async function nothing({ measureSpan }: Operations, url: string, topic: string, publisher: string): Promise<string> {
  const all = await measureSpan(url, { topic });
  if (all === undefined) return `there is nothing to replay: ${publisher} keeps no event of ${topic}`;
  return (
    `there is nothing to replay between these: ${publisher} keeps ${count(all.events, "event")} of ${topic}, ` +
    `positions ${all.first} to ${all.last}, published ${all.from.toISOString()} to ${all.to.toISOString()}`
  );
}
