import { createInterface } from "node:readline/promises";
import { columns } from "../../dev/terminal.js";
import type { Settings } from "../../project/settings.js";
import { eventDatabases } from "./databases.js";
import { type DeadLetter, type DeadLetterChoice, loadOperations, type Operations } from "./operations.js";
import { parseTime } from "./point.js";
import { cell, contentOf, contentText, count } from "./show.js";
import { assertConsumes, type EventSystem, readEventSystem, unknown } from "./system.js";

/** The dead letters that a command selects. */
export interface Selection {
  readonly group: string | undefined;
  readonly topic: string | undefined;
  readonly from: string | undefined;
  readonly to: string | undefined;
  readonly url: string | undefined;
}

export interface ListOptions extends Selection {
  readonly limit: number;
  readonly json: boolean;
}

export interface SettleOptions extends Selection {
  readonly ids: readonly string[];
  readonly all: boolean;
  readonly dryRun: boolean;
  /** Whether to skip the confirmation. */
  readonly yes: boolean;
  readonly json: boolean;
}

/** Prints dead letters, the oldest of each group first. */
export async function listLetters(settings: Settings, options: ListOptions): Promise<void> {
  const { system, operations, groups } = await open(settings, options);
  const found: DeadLetter[] = [];
  let total = 0;
  for (const { url, choice } of groups) {
    const one = await operations.listDeadLetters(url, choice, options.limit);
    found.push(...one.letters);
    total += one.total;
  }
  if (options.json) {
    process.stdout.write(
      `${JSON.stringify(found.map((letter) => ({ ...plain(letter), ...contentOf(system, letter) })))}\n`,
    );
  } else if (found.length > 0) {
    process.stdout.write(table(system, found));
  } else {
    process.stderr.write("There are no dead letters\n");
  }
  if (total > found.length) {
    process.stderr.write(
      `${total - found.length} more: --limit shows them, --group, --topic, --from and --to leave some out\n`,
    );
  }
}

const verbs = {
  redrive: { past: "redriven", operation: "redriveDeadLetters" },
  discard: { past: "discarded", operation: "discardDeadLetters" },
} as const;

/** Retries or deletes dead letters. */
export async function settleLetters(
  settings: Settings,
  verb: keyof typeof verbs,
  options: SettleOptions,
): Promise<void> {
  const { ids, all, dryRun, yes, json } = options;
  if (ids.length === 0 && !all) {
    throw new Error(`Name the dead letters to ${verb} as scaffold events dlq list does, orders/17, or say --all`);
  }
  if (ids.length > 0 && all) throw new Error("Name dead letters, or say --all: not both");
  const { operations, groups } = await open(settings, options, ids);
  const matching = await countLetters(operations, groups);
  if (dryRun) return say(json, verbs[verb].past, matching, "would be ");
  if (verb === "discard" && all && matching.length > 0 && !yes) await confirm(matching.length);
  const settled: string[] = [];
  for (const { url, choice } of groups) {
    const seqs = await operations[verbs[verb].operation](url, choice);
    settled.push(...seqs.map((seq) => nameOf(choice.group, seq)));
  }
  say(json, verbs[verb].past, settled);
  const missing = ids
    .map((id) => (id.includes("/") ? id : `${options.group}/${id}`))
    .filter((id) => !settled.includes(id));
  if (missing.length === 0) return;
  process.stderr.write(`not among the dead letters: ${missing.join(", ")}. scaffold events dlq list says which are\n`);
  process.exitCode = 1;
}

interface GroupChoice {
  readonly url: string;
  readonly choice: DeadLetterChoice;
}

/** Returns the selected groups, and their selected dead letters. */
async function open(
  settings: Settings,
  { group, topic: topicName, from, to, url }: Selection,
  ids: readonly string[] = [],
): Promise<{ system: EventSystem; operations: Operations; groups: readonly GroupChoice[] }> {
  const named = ids.map((id) => parseId(id, group));
  const times = {
    ...(from !== undefined && { from: parseTime("--from", from) }),
    ...(to !== undefined && { to: parseTime("--to", to) }),
  };
  const system = await readEventSystem(settings);
  if (system.groups.length === 0) throw new Error("no service of the contract consumes events");
  for (const name of [group, ...named.map((id) => id.group)]) {
    if (name !== undefined && !system.groups.includes(name)) unknown("group", name, system.groups);
  }
  const topic = topicName === undefined ? undefined : system.topic(topicName);
  if (topic !== undefined && group !== undefined) assertConsumes(system, group, topic);
  const chosen = system.groups.filter(
    (name) =>
      (group === undefined || name === group) &&
      (topic === undefined || topic.groups.includes(name)) &&
      (ids.length === 0 || named.some((id) => id.group === name)),
  );
  const urlOf = await eventDatabases(settings.root, url, chosen, "--group");
  const groups = chosen.map((name) => {
    const seqs = named.filter((id) => id.group === name).map(({ seq }) => seq);
    const choice = { group: name, topic: topic?.name, ...times, ...(ids.length > 0 && { seqs }) };
    return { url: urlOf(name), choice };
  });
  return { system, operations: await loadOperations(), groups };
}

function parseId(id: string, group: string | undefined): { group: string; seq: string } {
  const [, of = group, seq] = /^(?:([^/]+)\/)?([1-9]\d{0,17})$/.exec(id) ?? [];
  if (seq === undefined || of === undefined) {
    throw new Error(`"${id}" names no dead letter: write it like scaffold events dlq list does, orders/17`);
  }
  if (group !== undefined && of !== group) throw new Error(`${id} is not one of ${group}'s: leave --group out`);
  return { group: of, seq };
}

async function countLetters({ listDeadLetters }: Operations, groups: readonly GroupChoice[]): Promise<string[]> {
  const names: string[] = [];
  for (const { url, choice } of groups) {
    const { letters } = await listDeadLetters(url, choice, 2 ** 31 - 1);
    names.push(...letters.map(({ seq }) => nameOf(choice.group, seq)));
  }
  return names;
}

async function confirm(number: number): Promise<void> {
  const refused = new Error(`nothing was discarded. --yes discards ${count(number, "dead letter")} for good`);
  if (!process.stdin.isTTY || !process.stderr.isTTY) throw refused;
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await terminal.question(`Discard ${count(number, "dead letter")} for good? [y/N] `);
    if (!/^y(es)?$/i.test(answer.trim())) throw refused;
  } finally {
    terminal.close();
  }
}

function say(json: boolean, past: string, names: readonly string[], would = ""): void {
  if (json) process.stdout.write(`${JSON.stringify({ [past]: names, dryRun: would !== "" })}\n`);
  else process.stdout.write(names.map((name) => `${would}${past} ${name}\n`).join("") || `nothing ${would}${past}\n`);
}

function nameOf(group: string, seq: string): string {
  return `${group}/${seq}`;
}

function plain({ seq, group, topic, key, attempts, reason, parked, diedAt, attributes }: DeadLetter) {
  return { id: nameOf(group, seq), group, topic, key, attempts, reason, parked, diedAt, attributes };
}

function table(system: EventSystem, letters: readonly DeadLetter[]): string {
  const rows = letters.map((letter) => [
    nameOf(letter.group, letter.seq),
    letter.diedAt.toISOString(),
    letter.topic,
    cell(letter.key),
    String(letter.attempts),
    letter.parked ? "waits" : "goes on",
    oneLine(letter.reason, 80),
    oneLine(contentText(contentOf(system, letter)), 120),
  ]);
  return columns(["id", "died", "topic", "key", "tries", "its key", "reason", "event"], rows);
}

function oneLine(text: string, longest: number): string {
  const line = text.replaceAll(/\s+/g, " ");
  return line.length <= longest ? line : `${line.slice(0, longest - 1)}…`;
}
