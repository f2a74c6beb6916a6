import { create } from "@bufbuild/protobuf";
import { UserSchema } from "@shop/generated/shop/users/v1/users_pb.js";
import { beforeEach, describe, expect, test } from "vitest";
import type { CachePolicy } from "../spec/cache.js";
import { copy } from "./copy.js";
import { memoryStore } from "./memory.js";
import { type ReadOutcome, ReadThrough } from "./read-through.js";

interface Row {
  name: string;
}

const outage = new Error("away");
const policy: CachePolicy<Row> = { ttlMs: 1000, staleIfErrorMs: 5000, copy };
let now: number;
let chance: number;
let cache: ReadThrough<Row>;
let loads: number;
let outcomes: ReadOutcome[];

beforeEach(() => {
  now = 0;
  chance = 0;
  loads = 0;
  outcomes = [];
  cache = new ReadThrough(policy, options());
});

function options(patienceMs?: number) {
  return {
    store: memoryStore<Row>(),
    isOutage: (error: unknown) => error === outage,
    now: () => now,
    random: () => chance,
    patienceMs,
  };
}

function read(load: () => Promise<Row | undefined> | Row | undefined): Promise<Row | undefined> {
  const counted = async () => {
    loads++;
    return load();
  };
  return cache.read("1", counted, (outcome) => outcomes.push(outcome));
}

const answers = (name: string) => () => ({ name });
const fails = () => Promise.reject(outage);

/** A load that ends when it is told to. */
function pending() {
  let resolve!: (row: Row | undefined) => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<Row | undefined>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { load: () => promise, resolve, reject };
}

describe("a row", () => {
  test("answers until its time is over, and is then loaded again", async () => {
    await read(answers("a"));
    now = 899;
    expect(await read(answers("b"))).toEqual({ name: "a" });
    now = 1000;
    expect(await read(answers("b"))).toEqual({ name: "b" });
    expect(outcomes).toEqual(["miss", "hit", "miss"]);
  });

  test("is loaded once for all who ask at the same time", async () => {
    const { load, resolve } = pending();
    const readers = Array.from({ length: 20 }, () => read(load));
    resolve({ name: "a" });
    expect(await Promise.all(readers)).toEqual(Array(20).fill({ name: "a" }));
    expect(loads).toBe(1);
  });

  test("is nobody's to change", async () => {
    const first = await read(answers("a"));
    first!.name = "changed";
    const second = await read(answers("b"));
    second!.name = "changed too";
    expect(await read(answers("b"))).toEqual({ name: "a" });
  });

  test("loses up to a tenth of its time by chance", async () => {
    chance = 0.5;
    await read(answers("a"));
    now = 950;
    expect(await read(answers("b"))).toEqual({ name: "b" });
  });

  test("that is read shortly before its time is over is renewed meanwhile, and nobody waits", async () => {
    await read(answers("a"));
    now = 900;
    const { load, resolve } = pending();
    expect(await read(load)).toEqual({ name: "a" });
    expect(await read(answers("never"))).toEqual({ name: "a" });
    resolve({ name: "b" });
    await load();
    now = 1700;
    expect(await read(answers("never"))).toEqual({ name: "b" });
    expect(loads).toBe(2);
  });

  test("whose renewal fails answers on, without another try, until its time is over", async () => {
    await read(answers("a"));
    now = 900;
    for (let i = 0; i < 5; i++) expect(await read(fails)).toEqual({ name: "a" });
    expect(loads).toBe(2);
    now = 1000;
    expect(await read(answers("b"))).toEqual({ name: "b" });
  });

  test("that is invalidated is not brought back by its renewal", async () => {
    await read(answers("a"));
    now = 900;
    const { load, resolve } = pending();
    await read(load);
    cache.invalidate("1");
    resolve({ name: "old" });
    expect(await read(answers("new"))).toEqual({ name: "new" });
    expect(await read(answers("never"))).toEqual({ name: "new" });
  });

  test("that does not exist is asked for again after a while, or once it is written", async () => {
    cache = new ReadThrough({ ...policy, ttlMs: 60_000 }, options());
    expect(await read(() => undefined)).toBeUndefined();
    now = 4999;
    expect(await read(answers("a"))).toBeUndefined();
    now = 5000;
    expect(await read(() => undefined)).toBeUndefined();
    cache.invalidate("1");
    expect(await read(answers("a"))).toEqual({ name: "a" });
    expect(outcomes).toEqual(["miss", "hit", "miss", "miss"]);
  });

  test("that does not exist, or so it seems, is asked for again on suspicion", async () => {
    await read(() => undefined);
    cache.suspect("1");
    expect(await read(answers("a"))).toEqual({ name: "a" });
  });

  test("that failed to load is asked for again", async () => {
    await expect(read(fails)).rejects.toBe(outage);
    expect(await read(answers("a"))).toEqual({ name: "a" });
  });
});

describe("while the database is away, a row", () => {
  test("answers past its time, as long as the policy says", async () => {
    await read(answers("a"));
    now = 1000 + 4999;
    expect(await read(fails)).toEqual({ name: "a" });
    expect(outcomes.at(-1)).toBe("stale");
    now = 1000 + 5000;
    await expect(read(fails)).rejects.toBe(outage);
  });

  test("answers too when the database is silent rather than gone, and only the first reader waits", async () => {
    cache = new ReadThrough(policy, options(1));
    await read(answers("a"));
    now = 1000;
    const { load, resolve } = pending();
    expect(await read(load)).toEqual({ name: "a" });
    expect(await read(load)).toEqual({ name: "a" });
    expect(loads).toBe(2);
    resolve({ name: "b" });
    await read(load);
    expect(await read(load)).toEqual({ name: "b" });
  });

  test("does not cover up other errors", async () => {
    await read(answers("a"));
    now = 1000;
    const bug = new Error("bug");
    await expect(read(() => Promise.reject(bug))).rejects.toBe(bug);
  });

  test("does not outlive the answer that it is gone", async () => {
    await read(answers("a"));
    now = 1000;
    expect(await read(() => undefined)).toBeUndefined();
    now = 2000;
    await expect(read(fails)).rejects.toBe(outage);
  });

  test("does not answer once it was invalidated, even after the reader came", async () => {
    await read(answers("a"));
    now = 1000;
    const { load, reject } = pending();
    const reader = read(load);
    cache.invalidate("1");
    reject(outage);
    await expect(reader).rejects.toBe(outage);
  });
});

describe("an invalidation", () => {
  test("keeps a reader that came before it from filling the cache", async () => {
    const { load, resolve } = pending();
    const early = read(load);
    cache.invalidate("1");
    const late = read(answers("new"));
    resolve({ name: "old" });
    expect(await early).toEqual({ name: "old" });
    expect(await late).toEqual({ name: "new" });
    expect(await read(answers("newer"))).toEqual({ name: "new" });
  });

  test("holds also when the early reader ends last", async () => {
    const { load, resolve } = pending();
    const early = read(load);
    cache.invalidate("1");
    await read(answers("new"));
    resolve({ name: "old" });
    await early;
    expect(await read(answers("newer"))).toEqual({ name: "new" });
  });

  test("concerns its own key only", async () => {
    await cache.read("2", async () => ({ name: "two" }));
    await read(answers("one"));
    cache.invalidate("1");
    expect(await cache.read("2", async () => undefined)).toEqual({ name: "two" });
    expect(await read(answers("new"))).toEqual({ name: "new" });
  });

  test("on suspicion makes a row stale: read anew, or standing in for a database that is away", async () => {
    await read(answers("a"));
    cache.suspect("1");
    expect(await read(fails)).toEqual({ name: "a" });
    expect(await read(answers("b"))).toEqual({ name: "b" });
  });
});

describe("a copy", () => {
  test("equals its original and shares nothing with it", () => {
    const user = create(UserSchema, { id: "1", createTime: { seconds: 5n } });
    const twin = copy(user);
    expect(twin).toEqual(user);
    twin.createTime!.seconds = 6n;
    expect(user.createTime!.seconds).toBe(5n);
  });

  test("keeps what only a prototype or a byte array has", () => {
    const original = Object.assign(Object.create({ inherited: 1 }), { bytes: new Uint8Array([1]), list: [{ a: 1 }] });
    const twin = copy(original);
    twin.bytes[0] = 2;
    twin.list[0].a = 2;
    expect(twin.inherited).toBe(1);
    expect(original).toMatchObject({ bytes: new Uint8Array([1]), list: [{ a: 1 }] });
  });
});

describe("how old a stale row is", () => {
  const ageOf = async (by: ReadThrough<Row>) => {
    const ages: number[] = [];
    await by.read("1", fails, (outcome, ageMs) => outcome === "stale" && ages.push(ageMs));
    return ages;
  };

  test("counts from before it was loaded, and goes on when it was suspected", async () => {
    await read(() => {
      now = 30;
      return { name: "a" };
    });
    cache.suspect("1");
    now = 500;
    expect(await ageOf(cache)).toEqual([500]);
    now = 2000;
    expect(await ageOf(cache)).toEqual([2000]);
  });

  test("includes its time in the tier behind", async () => {
    let away = false;
    const found = { value: { name: "a" }, freshMs: 200, ageMs: 800 };
    const behind = { read: async () => (away ? fails() : found) };
    const by = new ReadThrough<Row>(policy, { ...options(), behind });
    await by.read("1", fails);
    away = true;
    now = 300;
    expect(await ageOf(by)).toEqual([1100]);
  });
});

test("a peek says what is known, loads nothing, and gives nothing that can be spoilt", async () => {
  expect(cache.peek("1")).toBeUndefined();
  await read(answers("a"));
  const known = cache.peek("1");
  known!.value!.name = "spoilt";
  expect(cache.peek("1")).toEqual({ value: { name: "a" } });
  now = 1000;
  expect(cache.peek("1")).toBeUndefined();
  expect(loads).toBe(1);
});

describe("what is suspected as a whole", () => {
  test("is loaded anew, by a load of its own, and stands in for a database that is away", async () => {
    await read(answers("old"));
    cache.suspectAll();
    const late = pending();
    const first = read(late.load);
    cache.suspectAll();
    expect(await read(answers("new"))).toEqual({ name: "new" });
    late.resolve({ name: "from before" });
    expect(await first).toEqual({ name: "from before" });
    expect(await read(fails)).toEqual({ name: "new" });
    cache.suspectAll();
    expect(await read(fails)).toEqual({ name: "new" });
    expect(outcomes.at(-1)).toBe("stale");
  });
});

describe("a row that may answer while it is loaded anew", () => {
  beforeEach(() => {
    cache = new ReadThrough({ ...policy, staleWhileRevalidateMs: 2000 }, options());
  });

  test("answers at once after its time, and is new afterwards", async () => {
    await read(answers("old"));
    now = 2500;
    const late = pending();
    expect(await read(late.load)).toEqual({ name: "old" });
    expect(await read(late.load)).toEqual({ name: "old" });
    expect(loads).toBe(2);
    late.resolve({ name: "new" });
    await late.load();
    await new Promise(setImmediate);
    expect(await read(fails)).toEqual({ name: "new" });
    expect(outcomes).toEqual(["miss", "hit", "hit", "hit"]);
  });

  test("is waited for after that, and never answers once it was written", async () => {
    await read(answers("old"));
    now = 3001;
    expect(await read(answers("new"))).toEqual({ name: "new" });
    now = 5000;
    cache.invalidate("1");
    expect(await read(answers("written"))).toEqual({ name: "written" });
    expect(outcomes).toEqual(["miss", "miss", "miss"]);
  });

  test("does not answer for longer when it is not there", async () => {
    await read(() => undefined);
    now = 1001;
    expect(await read(answers("created"))).toEqual({ name: "created" });
  });
});
