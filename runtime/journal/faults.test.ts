import { existsSync } from "node:fs";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, expect, test, vi } from "vitest";
import type { JournalEntry } from "./entry.js";
import { Journal } from "./journal.js";
import type { Fault } from "./testing/faulty-disk.js";

const disk = await vi.hoisted(async () => new (await import("./testing/faulty-disk.js")).FaultyDisk());
vi.mock("node:fs/promises", async (original) => disk.wrap(await original()));

let parent: string;

beforeEach(async () => {
  disk.decide = () => undefined;
  // In memory where there is such a place: what is tested is what is asked of the disk, and that is much.
  parent = await mkdtemp(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "scaffold-faults-"));
  return () => rm(parent, { recursive: true, force: true });
});

const call = (key: string, bytes: number): Omit<JournalEntry, "id"> => {
  const headers = { tracestate: '"},{"id":9],"done":[' };
  return { method: "CreateOrder", key, fingerprint: "f", request: "r".repeat(bytes), headers, at: "2026-01-01" };
};
const keys = (from: Journal) => [...from.entries()].map(({ key }) => key);

/** What callers were told. */
interface Told {
  readonly accepted: Set<string>;
  readonly refused: Set<string>;
  readonly buried: Set<string>;
}

/** All that a journal does: batches, marks, dead letters, compaction, and the empty file. */
async function use(directory: string, told: Told, failed: () => Promise<void>): Promise<void> {
  const journal = await Journal.open({ directory, maxBytes: 3500 });
  const entries = new Map<string, JournalEntry>();
  const add = async (key: string, bytes: number) => {
    try {
      entries.set(key, await journal.add(call(key, bytes)));
      told.accepted.add(key);
    } catch {
      told.refused.add(key);
      await failed();
    }
  };
  const settle = async (key: string) => {
    const entry = entries.get(key);
    entries.delete(key);
    told.accepted.delete(key);
    if (entry !== undefined) await journal.settle(entry);
  };
  const deadLetter = async (key: string) => {
    const entry = entries.get(key);
    if (entry === undefined) return;
    try {
      await journal.deadLetter(entry, { reason: "refused" });
      entries.delete(key);
      told.accepted.delete(key);
      told.buried.add(key);
    } catch {
      await failed();
    }
  };
  try {
    await Promise.all([add("a", 300), add("b", 10), add("c", 300)]);
    await settle("a");
    await deadLetter("b");
    await Promise.all([add("d", 700), settle("c")]);
    await add("e", 700);
    await settle("d");
    // Only with what is settled made away with.
    await add("f", 700);
    await deadLetter("e");
    await add("g", 200);
    for (const key of [...entries.keys()]) await settle(key);
    await add("h", 300);
  } finally {
    await journal.close().catch(() => undefined);
  }
}

/** Looks at the folder as a start after a crash at this moment would. */
async function check(directory: string, told: Told, undone: boolean): Promise<void> {
  const { decide } = disk;
  disk.decide = () => undefined;
  const copy = await mkdtemp(join(parent, "crash-"));
  // A socket cannot be copied.
  await cp(directory, copy, { recursive: true, filter: (path) => !path.endsWith("/lock") });
  const journal = await Journal.open({ directory: copy, maxBytes: 1e6 });
  const left = keys(journal);
  expect(left).toEqual(expect.arrayContaining([...told.accepted]));
  for (const { request, key } of journal.entries()) expect(request, key).toMatch(/^r+$/);
  // What is refused comes back only where the disk let nobody take it back.
  if (undone) for (const key of told.refused) expect(left).not.toContain(key);
  await journal.close();
  const letters = await readFile(join(copy, "dead-letters.jsonl"), "utf8").catch(() => "");
  const kept = letters.split("\n").filter((line) => line !== "" && (undone || line.endsWith("}")));
  expect(kept.map((line) => JSON.parse(line).key)).toEqual(expect.arrayContaining([...told.buried]));
  await rm(copy, { recursive: true });
  disk.decide = decide;
}

async function run(decide: () => Fault | undefined, undone: boolean): Promise<number> {
  let calls = 0;
  const directory = await mkdtemp(join(parent, "journal-"));
  const told: Told = { accepted: new Set(), refused: new Set(), buried: new Set() };
  disk.decide = () => {
    calls++;
    return decide();
  };
  await use(directory, told, () => check(directory, told, undone)).catch((error) => {
    // One that cannot be opened has accepted nothing.
    if (!/^(ENOSPC|EDQUOT|EIO)/.test(String(error.message))) throw error;
  });
  await check(directory, told, undone);
  await rm(directory, { recursive: true });
  return calls;
}

test("a call is on the disk as a whole or refused, whichever call to the disk fails or falls short", async () => {
  const total = await run(() => undefined, true);
  expect(total).toBeGreaterThan(40);
  const faults = ["short", "ENOSPC", "EDQUOT", "EIO"] as const;
  for (let at = 1; at <= total; at++) {
    for (const fault of faults) {
      let once = 0;
      await run(() => (++once === at ? fault : undefined), true);
    }
    // From then on, as on a disk that is full: a write takes a part, the next nothing.
    for (const fault of ["ENOSPC", "EIO"] as const) {
      let calls = 0;
      await run(() => (++calls < at ? undefined : calls === at ? "short" : fault), false);
    }
  }
});

test("a frame that was torn while others follow gives its whole calls back, and names what it lost", async () => {
  const directory = await mkdtemp(join(parent, "journal-"));
  const path = join(directory, "journal");
  const first = await Journal.open({ directory, maxBytes: 1e6 });
  await first.add(call("a", 100));
  const start = (await readFile(path)).length;
  // The first is written by itself, the others, which come meanwhile, together.
  await Promise.all(["b", "c", "d", "e"].map((key) => first.add(call(key, 100))));
  const stop = (await readFile(path)).length;
  await first.add(call("f", 100));
  await first.close();
  const whole = await readFile(path);
  const second = whole.indexOf(Buffer.from([0xff, 0x53, 0x4a, 0x31]), start + 1);
  for (let cut = second + 5; cut < stop; cut += 7) {
    await writeFile(path, Buffer.from(whole).fill(0, cut, stop));
    const logged: object[] = [];
    const error = (fields: object, text: string) => logged.push({ ...fields, text });
    const log = { error, warn: () => undefined } as never;
    const journal = await Journal.open({ directory, maxBytes: 1e6, log });
    const expected = ["a", "b", "c", "d", "e", "f"].filter(
      (key) => !"cde".includes(key) || whole.indexOf(`"key":"${key}"`) + 250 < cut,
    );
    expect(keys(journal).join("")).toMatch(/^abc?d?e?f$/);
    expect(keys(journal)).toEqual(expect.arrayContaining(expected));
    const kept = keys(journal).filter((key) => "bcde".includes(key)).length - 1;
    const lost = kept < 3 ? /whole calls are kept, those behind them are lost/ : /all its calls are kept|are lost/;
    expect(logged).toMatchObject([
      {
        at: second,
        bytes: stop - second,
        written: cut - second,
        kept,
        path: join(directory, `journal-torn-${second}`),
      },
    ]);
    expect(logged).toMatchObject([{ text: expect.stringMatching(lost) }]);
    // Goes on as any other.
    await journal.settle(await journal.add(call("g", 10)));
    await journal.close();
  }
});
