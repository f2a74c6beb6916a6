import { create, type DescMessage, type MessageShape } from "@bufbuild/protobuf";
import type { CachePolicy } from "@protoscaffold/runtime/spec/cache";
import { expect, test } from "vitest";
import { thingCache } from "../testdata/columns/expected/generated/contract_cache.js";
import { ThingSchema } from "../testdata/columns/expected/generated/contract_pb.js";
import { thingCache as explicitCache } from "../testdata/presence/expected/generated/contract_cache.js";
import { ThingSchema as ExplicitSchema } from "../testdata/presence/expected/generated/contract_pb.js";
import { Random } from "../testing/random.js";
import { createOwn, randomInit } from "../testing/random-message.js";

const seed = Number(process.env.SEED ?? 1);

/** Everything that can be changed in a value, itself among it. */
function parts(value: unknown, found = new Set<object>()): ReadonlySet<object> {
  if (typeof value !== "object" || value === null) return found;
  found.add(value instanceof Uint8Array ? value.buffer : value);
  if (!(value instanceof Uint8Array)) for (const inner of Object.values(value)) parts(inner, found);
  return found;
}

function compare<D extends DescMessage>(schema: D, { copy }: CachePolicy<MessageShape<D>>): number {
  const random = new Random(seed);
  let most = 0;
  for (let n = 0; n < 500; n++) {
    const message = createOwn(schema, randomInit(random, schema)) as MessageShape<D>;
    const twin = copy(message);
    expect(twin).toStrictEqual(message);
    expect(Object.getPrototypeOf(twin)).toBe(Object.getPrototypeOf(message));
    const own = parts(message);
    const shared = [...parts(twin)].filter((part) => own.has(part));
    expect(shared, `SEED=${seed}, message ${n}`).toEqual([]);
    most = Math.max(most, own.size);
  }
  return most;
}

test("a copy equals its message, down to what is not set, and shares nothing with it", () => {
  expect(compare(ThingSchema, thingCache)).toBeGreaterThan(50);
});

test("a copy of a message that inherits its defaults inherits them too", () => {
  expect(compare(ExplicitSchema, explicitCache)).toBeGreaterThan(3);
});

test("entries called __proto__ are copied like others", () => {
  const thing = create(ThingSchema, { labels: JSON.parse('{"__proto__": "kept"}') as Record<string, string> });
  Object.defineProperty(thing.blobsByName, "__proto__", {
    value: new Uint8Array([1]),
    enumerable: true,
    writable: true,
  });
  thing.struct = JSON.parse('{"__proto__": {"a": [1]}}') as Record<string, never>;
  const twin = thingCache.copy(thing);
  expect(Object.entries(twin.labels)).toEqual([["__proto__", "kept"]]);
  const [[name, blob] = []] = Object.entries(twin.blobsByName);
  expect([name, blob]).toEqual(["__proto__", new Uint8Array([1])]);
  expect(blob).not.toBe(Object.values(thing.blobsByName)[0]);
  expect(JSON.stringify(twin.struct)).toBe('{"__proto__":{"a":[1]}}');
  expect(Object.values(twin.struct!)[0]).not.toBe(Object.values(thing.struct)[0]);
});

test("bytes that are a Buffer have memory of their own in a copy", () => {
  const thing = create(ThingSchema, { bytes: Buffer.from("abc"), blobs: [Buffer.from("def")] });
  const twin = thingCache.copy(thing);
  thing.bytes.fill(0);
  thing.blobs[0]!.fill(0);
  expect([twin.bytes, twin.blobs]).toEqual([new Uint8Array([97, 98, 99]), [new Uint8Array([100, 101, 102])]]);
});
