import { toBinary } from "@bufbuild/protobuf";
import { listOrdersResponseCodec } from "@shop/generated/shop/orders/v1/orders_codec.js";
import { ListOrdersResponseSchema } from "@shop/generated/shop/orders/v1/orders_pb.js";
import { describe, expect, test } from "vitest";
import { reflectedCodec } from "./reflected.js";

const text = (id: number) => `order ${id} ${"ü".repeat(id % 50)}`;

function bytesOf(orders: number): Uint8Array {
  return listOrdersResponseCodec.toBytes({
    orders: Array.from({ length: orders }, (_, n) => ({
      id: text(n),
      totalCents: BigInt(n) ** 3n,
      lines: [{ productId: text(n + 1), quantity: n }],
      createTime: { seconds: BigInt(n), nanos: n },
    })),
    nextPageToken: "next",
    $unknown: [{ no: 1000, wireType: 0, data: new Uint8Array([1]) }],
  });
}

/** Counts the turns of the event loop until something is done. */
async function turnsOf(done: Promise<unknown>): Promise<number> {
  let turns = 0;
  let isOver = false;
  const count = () => {
    turns++;
    if (!isOver) setImmediate(count);
  };
  setImmediate(count);
  await done.finally(() => {
    isOver = true;
  });
  return turns;
}

describe.each([
  ["generated", listOrdersResponseCodec],
  ["reflected", reflectedCodec(ListOrdersResponseSchema)],
])("a %s codec", (_, codec) => {
  test.each([0, 1, 1_000, 6_000])("reads a list of %d messages in turns as it does in one", async (orders) => {
    const bytes = bytesOf(orders);
    const message = await codec.decodeInTurns(bytes);
    expect(message).toEqual(codec.decode(bytes));
    expect(Buffer.compare(toBinary(ListOrdersResponseSchema, message), bytes)).toBe(0);
  });

  test("lets others have their turn while it reads", async () => {
    const bytes = bytesOf(6_000);
    expect(await turnsOf(codec.decodeInTurns(bytes))).toBeGreaterThan(bytes.length / 2 ** 18);
  });

  test.each([0.1, 0.5, 0.999_999])("refuses bytes that end after %d of them", async (part) => {
    const bytes = bytesOf(6_000);
    const cut = bytes.subarray(0, Math.floor(bytes.length * part));
    const inOne = () => codec.decode(cut);
    expect(inOne).toThrow(RangeError);
    await expect(codec.decodeInTurns(cut)).rejects.toThrow(RangeError);
  });

  test("counts values over all turns, and the message itself once", async () => {
    const bytes = bytesOf(6_000);
    // The message, and of each order itself, its line and its time.
    const values = 1 + 3 * 6_000;
    await expect(codec.decodeInTurns(bytes, values)).resolves.toEqual(codec.decode(bytes, 0, bytes.length, values));
    await expect(codec.decodeInTurns(bytes, values - 1)).rejects.toThrow("more than");
  });
});
