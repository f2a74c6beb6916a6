import { mkdir, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { isDeepStrictEqual } from "node:util";
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { Writer } from "@protoscaffold/runtime/codec/writer";
import { orderCodec } from "@shop/generated/shop/orders/v1/orders_codec.js";
import { OrderSchema, OrderState } from "@shop/generated/shop/orders/v1/orders_pb.js";
import { report } from "./codec/report.js";
import { staticOrder } from "./codec/static.js";
import { inRounds, machine, type Subject } from "./rounds.js";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

type Order = MessageInitShape<typeof OrderSchema>;

/** 116 bytes: three lines, a timestamp, numbers of 64 bits. */
const init: Order = {
  id: "0193a1f2-7c31-7e02",
  customerId: "customer-000042",
  state: OrderState.CONFIRMED,
  lines: [
    { productId: "espresso-cup", quantity: 2, unitPriceCents: 1250n },
    { productId: "oak-tray", quantity: 1, unitPriceCents: 4900n },
    { productId: "walnut-board", quantity: 3, unitPriceCents: 123_456n },
  ],
  totalCents: 377_768n,
  createTime: { seconds: 1_764_033_328n, nanos: 123_000_000 },
};

/**
 * What an Order costs to write and to read: generated codecs beside protobuf-es and protobufjs's static code. Argument:
 * `--rounds=<n>`.
 */
export async function bench(args: readonly string[]): Promise<void> {
  const rounds = Number(args.find((arg) => arg.startsWith("--rounds="))?.slice("--rounds=".length) ?? 21);
  const message = create(OrderSchema, init);
  const bytes = toBinary(OrderSchema, message);
  const peer = await staticOrder();
  const theirs = peer.decode(bytes);
  const writer = new Writer();
  const write = (order: Order) => {
    writer.at = 0;
    orderCodec.encode(order, writer);
    return writer.buffer.subarray(0, writer.at);
  };
  for (const written of [write(message), write(init), orderCodec.toBytes(init), peer.encode(theirs).finish()]) {
    if (Buffer.compare(written, bytes) !== 0) throw new Error("not all write the same bytes");
  }
  if (!isDeepStrictEqual(orderCodec.decode(bytes), message)) throw new Error("not all read the same message");

  const intoBuffer = (order: Order) =>
    many(() => {
      writer.at = 0;
      orderCodec.encode(order, writer);
      return writer;
    });
  const shape = { rounds, count: 10_000 };
  const text = report({
    size: bytes.length,
    rounds,
    machine: machine(),
    groups: {
      "write a message": await inRounds(
        {
          "protobuf-es": many(() => toBinary(OrderSchema, message)),
          "protobufjs, static code": many(() => peer.encode(theirs).finish()),
          "codec, into a buffer that is there": intoBuffer(message),
          "codec, into an array of its own": many(() => orderCodec.toBytes(message)),
        },
        shape,
      ),
      "write what a handler answers, a plain object": await inRounds(
        {
          "protobuf-es, by `create`": many(() => toBinary(OrderSchema, create(OrderSchema, init))),
          "codec, into a buffer that is there": intoBuffer(init),
        },
        shape,
      ),
      "read a message": await inRounds(
        {
          "protobuf-es": many(() => fromBinary(OrderSchema, bytes)),
          "protobufjs, static code": many(() => peer.decode(bytes)),
          codec: many(() => orderCodec.decode(bytes)),
        },
        shape,
      ),
    },
  });
  process.stdout.write(text);
  await mkdir(here("results"), { recursive: true });
  await writeFile(here("results/codec.md"), text);
}

/** Keeps the last result, so that the compiler cannot eliminate the work. */
let kept: unknown;

function many(once: () => unknown): Subject {
  return async (count) => {
    for (let each = 0; each < count; each++) kept = once();
    if (kept === undefined) throw new Error("nothing was done");
  };
}
