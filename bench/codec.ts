import { isDeepStrictEqual } from "node:util";
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { Writer } from "@protoscaffold/runtime/codec/writer";
import { orderCodec } from "@shop/generated/shop/orders/v1/orders_codec.js";
import { OrderSchema, OrderState } from "@shop/generated/shop/orders/v1/orders_pb.js";
import { staticOrder } from "./codec/static.js";
import { machine, median, spread, table, whole } from "./figures.js";
import { writeResults } from "./results.js";

/** 116 bytes: three lines, a timestamp, numbers of 64 bits. */
const init: MessageInitShape<typeof OrderSchema> = {
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

const rounds = 21;
/** How long one subject runs in one round, in milliseconds of processor time. */
const duration = 60;

/** What an Order costs to write and to read, with generated codecs, protobuf-es and protobufjs's static code. */
export async function bench(): Promise<void> {
  const message = create(OrderSchema, init);
  const bytes = toBinary(OrderSchema, message);
  const Static = await staticOrder();
  const theirs = Static.decode(bytes);
  const writer = new Writer();
  const into = (order: MessageInitShape<typeof OrderSchema>) => {
    writer.at = 0;
    orderCodec.encode(order, writer);
    return writer.buffer.subarray(0, writer.at);
  };
  for (const written of [into(message), into(init), orderCodec.toBytes(init), Static.encode(theirs).finish()]) {
    if (Buffer.compare(written, bytes) !== 0) throw new Error("not all write the same bytes");
  }
  if (!isDeepStrictEqual(orderCodec.decode(bytes), message)) throw new Error("not all read the same message");

  const encode = (order: MessageInitShape<typeof OrderSchema>) => () => {
    writer.at = 0;
    orderCodec.encode(order, writer);
    return writer;
  };
  const groups: Groups = {
    "write a message": {
      "protobuf-es": () => toBinary(OrderSchema, message),
      "protobufjs static": () => Static.encode(theirs).finish(),
      "codec, into a buffer that is there": encode(message),
      "codec, into an array of its own": () => orderCodec.toBytes(message),
    },
    "write what a handler answers, a plain object": {
      "protobuf-es": () => toBinary(OrderSchema, create(OrderSchema, init)),
      "codec, into a buffer that is there": encode(init),
    },
    "read a message": {
      "protobuf-es": () => fromBinary(OrderSchema, bytes),
      "protobufjs static": () => Static.decode(bytes),
      codec: () => orderCodec.decode(bytes),
    },
  };
  await writeResults("codec", report(measure(groups), bytes.length));
}

type Groups = Readonly<Record<string, Readonly<Record<string, () => unknown>>>>;
type Samples = Readonly<Record<string, Readonly<Record<string, readonly number[]>>>>;

let sink: unknown;

/** Nanoseconds of processor time for one message: every subject in turn, round after round; two rounds warm up. */
function measure(groups: Groups): Samples {
  const samples: Record<string, Record<string, number[]>> = {};
  for (let round = -2; round < rounds; round++) {
    for (const [group, subjects] of Object.entries(groups)) {
      for (const [name, run] of Object.entries(subjects)) {
        const taken = time(run);
        if (round < 0) continue;
        samples[group] ??= {};
        samples[group][name] ??= [];
        samples[group][name].push(taken);
      }
    }
  }
  if (sink === undefined) throw new Error("nothing was measured");
  return samples;
}

function time(run: () => unknown): number {
  const start = process.cpuUsage();
  for (let count = 0; ; ) {
    for (let each = 0; each < 1000; each++) sink = run();
    count += 1000;
    const { user, system } = process.cpuUsage(start);
    const milliseconds = (user + system) / 1000;
    if (milliseconds >= duration) return (milliseconds * 1e6) / count;
  }
}

function report(samples: Samples, size: number): string {
  const parts = Object.entries(samples).map(([group, subjects]) => {
    const rows = Object.entries(subjects).map(([name, values]) => [
      name,
      whole(median(values)),
      spread(values),
      ...["protobuf-es", "protobufjs static"].map((other) => faster(values, subjects[other])),
    ]);
    return `## To ${group}\n\n${table(["with", "ns", "from–to", "× protobuf-es", "× protobufjs static"], rows)}`;
  });
  return `# Codecs

\`npm run bench -- codec\`: an Order of the shop, three lines, a timestamp and numbers of 64 bits, ${size} bytes. ${rounds} rounds, every
subject in turn in each; the median of processor time for one message, and from the lowest to the highest. Ratios are medians of ratios within a round: how
many times as fast. Goals: at least 12 × protobuf-es to write, 7 × to read, and no slower than protobufjs's static code.

${machine()}.

${parts.join("\n\n")}
`;
}

function faster(values: readonly number[], others: readonly number[] | undefined): string {
  if (others === undefined) return "";
  return median(values.map((value, round) => others[round]! / value)).toFixed(1);
}
