import { create } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { type Order, OrderSchema, OrderState } from "@shop/generated/shop/orders/v1/orders_pb.js";
import { expect, test } from "vitest";
import { follower } from "./follow.js";

const { PENDING, CONFIRMED, CANCELLED } = OrderState;

/** Orders by id, and how often they were read. */
function table(...ids: string[]) {
  const states = new Map(ids.map((id) => [id, PENDING]));
  const reads: number[] = [];
  return {
    reads,
    set: (id: string, state: OrderState) => void states.set(id, state),
    read: async (asked: readonly string[]) => {
      reads.push(asked.length);
      return asked.map((id) => {
        const state = states.get(id);
        if (state === undefined) throw new ConnectError(`no Order "${id}"`, Code.NotFound);
        return create(OrderSchema, { id, state });
      });
    },
  };
}

const never = () => new AbortController().signal;

/** What a watcher was sent, and when its stream has ended. */
function collect(orders: AsyncIterable<Order>) {
  const sent: OrderState[] = [];
  const end = (async () => {
    for await (const { state } of orders) sent.push(state);
  })();
  // Whoever expects a failure awaits it later.
  end.catch(() => undefined);
  return { sent, end };
}

test("a thousand watchers share each look, and all see each change", async () => {
  const { read, set, reads } = table("a", "b");
  const follow = follower(read);
  const watchers = Array.from({ length: 1000 }, (_, i) => collect(follow(new Set([i % 2 ? "a" : "b"]), never())));
  for (const state of [PENDING, CONFIRMED, CANCELLED]) {
    for (const id of ["a", "b"]) set(id, state);
    await expect.poll(() => watchers.every(({ sent }) => sent.at(-1) === state)).toBe(true);
  }
  await Promise.all(watchers.map(({ end }) => end));
  for (const { sent } of watchers) expect(sent).toEqual([PENDING, CONFIRMED, CANCELLED]);
  // One look a turn, of both orders; each watcher looked once for itself.
  expect(Math.max(...reads)).toBe(2);
  expect(reads.length).toBeLessThan(1100);
});

test("orders beyond a page are read in pages", async () => {
  const ids = Array.from({ length: 1200 }, (_, i) => `order ${i}`);
  const { read, set, reads } = table(...ids);
  const { sent, end } = collect(follower(read)(new Set(ids), never()));
  await expect.poll(() => sent.length).toBe(1200);
  expect(reads.slice(1, 4)).toEqual([500, 500, 200]);
  for (const id of ids) set(id, CANCELLED);
  await end;
  expect(sent.filter((state) => state === CANCELLED)).toHaveLength(1200);
});

test("an unknown order ends the stream of whoever asks for it, and no other", async () => {
  const { read, set } = table("a");
  const follow = follower(read);
  const known = collect(follow(new Set(["a"]), never()));
  await expect.poll(() => known.sent).toEqual([PENDING]);
  await expect(collect(follow(new Set(["b"]), never())).end).rejects.toMatchObject({ code: Code.NotFound });
  set("a", CANCELLED);
  await known.end;
  expect(known.sent).toEqual([PENDING, CANCELLED]);
});

test("a watcher ends when its caller goes, when asking fails and when reading fails; nobody looks on for it", async () => {
  const { read, reads } = table("a");
  const gone = new AbortController();
  let broken: Error | undefined;
  const follow = follower((ids) => (broken === undefined ? read(ids) : Promise.reject(broken)));
  const canceled = collect(follow(new Set(["a"]), gone.signal));
  const refused = collect(follow(new Set(["a"]), never(), Promise.reject(new Error("no more requests"))));
  const failed = collect(follow(new Set(["a"]), never()));
  await expect.poll(() => failed.sent).toEqual([PENDING]);
  await expect(refused.end).rejects.toThrow("no more requests");
  gone.abort();
  await canceled.end;
  broken = new Error("the database does not answer");
  await expect(failed.end).rejects.toThrow("the database does not answer");
  const before = reads.length;
  broken = undefined;
  // The next watcher starts to look anew.
  await collect(follow(new Set(), never())).end;
  expect(reads.length - before).toBeLessThan(2);
});
