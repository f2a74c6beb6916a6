import { appendFile, chmod, mkdtemp, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, expect, onTestFinished, test } from "vitest";
import type { JournalEntry } from "./entry.js";
import { Journal } from "./journal.js";

let directory: string;
let path: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "scaffold-journal-"));
  path = join(directory, "journal");
  return () => rm(directory, { recursive: true, force: true });
});

const journal = async (maxBytes = 1e6) => {
  const opened = await Journal.open({ directory, maxBytes });
  onTestFinished(() => opened.close().catch(() => undefined));
  return opened;
};
const call = (key: string, request = "AAAA"): Omit<JournalEntry, "id"> => {
  return { method: "CreateOrder", key, fingerprint: "f", request, headers: {}, at: "2026-01-01T00:00:00Z" };
};
const keys = (from: Journal) => [...from.entries()].map(({ key }) => key);
const size = async () => (await stat(path)).size;

test("keeps calls in their order until they are settled, and then takes no room", async () => {
  const first = await journal();
  const [a, b] = await Promise.all(["a", "b", "c"].map((key) => first.add(call(key))));
  await first.settle(b!);
  await first.close();
  const second = await journal();
  expect(keys(second)).toEqual(["a", "c"]);
  // Ids go on, or the marks of old calls would be taken for those of new ones.
  expect((await second.add(call("d"))).id).toBe(4);
  for (const entry of [a!, ...second.entries()]) await second.settle(entry);
  expect(await size()).toBe(0);
  expect((await stat(path)).mode & 0o077).toBe(0);
});

test("cuts off what a crash cut off, wherever that was, and nothing else", async () => {
  const first = await journal();
  await first.add(call("a"));
  const whole = await size();
  await first.add(call("b"));
  await first.close();
  const bytes = await readFile(path);
  for (let end = whole + 1; end < bytes.length; end++) {
    await writeFile(path, bytes.subarray(0, end));
    const cut = await journal();
    expect(keys(cut)).toEqual(["a"]);
    await cut.close();
    expect(await size()).toBe(whole);
  }
  // A file system may give a file its length before its bytes.
  await writeFile(path, bytes);
  await truncate(path, bytes.length - 7);
  await truncate(path, bytes.length + 100);
  const padded = await journal();
  expect(keys(padded)).toEqual(["a"]);
  await padded.add(call("c"));
  await padded.close();
  expect(keys(await journal())).toEqual(["a", "c"]);
});

test("does not take damage for the end", async () => {
  const first = await journal();
  for (const key of ["a", "b"]) await first.add(call(key));
  await first.close();
  const bytes = await readFile(path);
  bytes[20]! ^= 1;
  await writeFile(path, bytes);
  await expect(journal()).rejects.toThrow(/journal is damaged at byte 0.*restore it, or move it away/);
  expect(await readFile(path)).toEqual(bytes);
});

test("takes no more than it may, makes room of what is settled, and counts dead letters", async () => {
  const first = await journal(3000);
  const big = "A".repeat(600);
  const added: JournalEntry[] = [];
  const fill = async () => {
    for (;;) added.push(await first.add(call("k", big)));
  };
  await expect(fill()).rejects.toThrow("the journal is full (JOURNAL_MAX_BYTES 3000)");
  expect(added.length).toBe(4);
  await first.settle(added.shift()!);
  added.push(await first.add(call("new", big)));
  await first.deadLetter(added.shift()!, { reason: "taken" });
  const letter = await readFile(join(directory, "dead-letters.jsonl"), "utf8");
  // It has only moved.
  await expect(first.add(call("k", big))).rejects.toThrow("full");
  await first.close();
  const second = await journal(3000);
  expect(keys(second)).toEqual(["k", "k", "new"]);
  expect(JSON.parse(letter)).toMatchObject({ key: "k", reason: "taken" });
  await second.close();
  // A letter that was being written when the process died is written again, on a line of its own.
  await writeFile(join(directory, "dead-letters.jsonl"), letter.slice(0, -5));
  const third = await journal(1e6);
  await third.deadLetter([...third.entries()][0]!, { reason: "gone" });
  const lines = (await readFile(join(directory, "dead-letters.jsonl"), "utf8")).trim().split("\n");
  expect(lines.length).toBe(2);
  expect(JSON.parse(lines[1]!)).toMatchObject({ key: "k", reason: "gone" });
});

test("belongs to one process", async () => {
  await journal();
  await expect(journal()).rejects.toThrow(/another process's journal: give each instance a JOURNAL_DIR of its own/);
});

test("is taken over from a process that died", async () => {
  // As a killed process leaves it: a name that nobody listens on.
  await (await journal()).close();
  await appendFile(join(directory, "lock"), "");
  await journal();
});

test.runIf(process.getuid?.() !== 0)("says so when it cannot write", async () => {
  await chmod(directory, 0o500);
  await expect(journal()).rejects.toThrow(/EACCES/);
});
