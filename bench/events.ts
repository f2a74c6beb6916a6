import { randomUUID } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { productEntity } from "@shop/generated/shop/inventory/v1/inventory_repository.js";
import { startPostgres } from "../generator/dev/postgres.js";
import { createTables, execute } from "../generator/testing/tables.js";
import { ownTables } from "../runtime/data/tables.js";
import { kafkaEngine } from "../runtime/events/testing/kafka-engine.js";
import { rabbitmqEngine } from "../runtime/events/testing/rabbitmq-engine.js";
import { byHand, type HandBroker, plainRow, repositoryRow } from "./events/by-hand.js";
import { kafkaByHand } from "./events/kafka-by-hand.js";
import { ours } from "./events/ours.js";
import { measureLatency, measureRate, type Parts, type Pipeline } from "./events/pipeline.js";
import { postgresByHand } from "./events/postgres-by-hand.js";
import { rabbitmqByHand } from "./events/rabbitmq-by-hand.js";
import { type BrokerResults, type Growth, type Measured, report, type Who } from "./events/report.js";
import { machine, median } from "./rounds.js";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** A broker to measure over, and what is written by hand for it. */
interface Subject {
  readonly name: string;
  /** Starts it. Rejects if it is not installed. */
  start(): Promise<{ readonly url: string; stop(): Promise<void> }>;
  hand(parts: Parts): Promise<HandBroker>;
}

/** Who is measured how, in which order the first time. */
type Makers = Readonly<Record<Who, (of: Parts) => Promise<Pipeline>>>;

/** Partitions, consumers, and whether each is a process of its own. */
const shapes: readonly (readonly [partitions: number, consumers: number, apart: boolean])[] = [
  [1, 1, false],
  [8, 1, false],
  [32, 1, false],
  [8, 1, true],
  [8, 2, true],
  [8, 4, true],
];

/**
 * How many events go from a transaction to a transaction in a second, and how long one takes, over each broker that is
 * installed, beside the same durable work by hand. Arguments: `--rounds=<n>`, `--count=<n>`, `--brokers=postgresql,kafka,rabbitmq`.
 */
export async function bench(args: readonly string[]): Promise<void> {
  const argument = (name: string) => args.find((arg) => arg.startsWith(`--${name}=`))?.slice(name.length + 3);
  const rounds = Number(argument("rounds") ?? 3);
  const count = Number(argument("count") ?? 2000);
  const wanted = argument("brokers")?.split(",");
  await mkdir(here("../.scaffold"), { recursive: true });
  const folder = await mkdtemp(here("../.scaffold/bench-events-"));
  const postgres = await startPostgres({ directory: join(folder, "postgres") });
  try {
    const database = async (name: string) => {
      await postgres.createDatabase(name);
      return postgres.url(name);
    };
    const [producerUrl, consumerUrl] = [await database("producer"), await database("consumer")];
    for (const url of [producerUrl, consumerUrl]) {
      await createTables(url, [productEntity.table]);
      await execute(url, ownTables);
    }
    const subjects: readonly Subject[] = [
      {
        name: "PostgreSQL",
        start: async () => ({ url: await database("broker"), stop: async () => undefined }),
        hand: ({ brokerUrl }) => postgresByHand(brokerUrl),
      },
      { name: "Kafka", start: () => engine(kafkaEngine), hand: kafkaByHand },
      { name: "RabbitMQ", start: () => engine(rabbitmqEngine), hand: rabbitmqByHand },
    ];
    const results: BrokerResults[] = [];
    for (const { name, start, hand } of subjects) {
      if (wanted !== undefined && !wanted.includes(name.toLowerCase())) continue;
      const broker = await start().catch((error: Error) => error);
      if (broker instanceof Error) {
        results.push({ name, absent: broker.message });
        continue;
      }
      const makers: Makers = {
        ours,
        hand: async (of) => byHand(of, await hand(of), repositoryRow),
        plain: async (of) => byHand(of, await hand(of), plainRow),
      };
      const parts = (partitions = 8, consumers = 1, apart = false): Parts => {
        const topic = `bench.${randomUUID()}`;
        return { producerUrl, consumerUrl, brokerUrl: broker.url, partitions, consumers, apart, topic };
      };
      try {
        results.push({
          name,
          ...(await compare(makers, parts, rounds, count)),
          growth: await grow(parts, rounds, count),
        });
      } finally {
        await broker.stop();
      }
    }
    const text = report({ results, rounds, count, machine: machine() });
    process.stdout.write(text);
    await mkdir(here("results"), { recursive: true });
    await writeFile(here("results/events.md"), text);
  } finally {
    await postgres.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

async function engine(make: () => Promise<{ readonly url: string; remove(): Promise<void> }>) {
  const { url, remove } = await make();
  return { url, stop: remove };
}

async function compare(makers: Makers, parts: () => Parts, rounds: number, count: number) {
  const none = (): Measured => ({ rates: [], latencies: [], cpu: [] });
  const measured: Record<Who, Measured> = { ours: none(), hand: none(), plain: none() };
  const order = Object.entries(makers) as [Who, Makers[Who]][];
  for (let round = -1; round < rounds; round++) {
    for (const [who, make] of round % 2 === 0 ? order : order.toReversed()) {
      const pipeline = await make(parts());
      await measureRate(pipeline, 100);
      const began = process.cpuUsage();
      const events = round < 0 ? count / 4 : count;
      const seconds = await measureRate(pipeline, events);
      const { user, system } = process.cpuUsage(began);
      const found = await measureLatency(pipeline, round < 0 ? 20 : 200, 5);
      await pipeline.close();
      if (round < 0) continue;
      const { rates, latencies, cpu } = measured[who];
      rates.push(events / seconds);
      cpu.push((user + system) / events);
      latencies.push(...found);
    }
  }
  return measured;
}

async function grow(
  parts: (partitions: number, consumers: number, apart: boolean) => Parts,
  rounds: number,
  count: number,
): Promise<Growth[]> {
  const growth: Growth[] = [];
  for (const [partitions, consumers, apart] of shapes) {
    const rates: number[] = [];
    for (let round = 0; round < Math.ceil(rounds / 2); round++) {
      const pipeline = await ours(parts(partitions, consumers, apart));
      await measureRate(pipeline, 100);
      rates.push(count / (await measureRate(pipeline, count)));
      await pipeline.close();
    }
    growth.push({ partitions, consumers, apart, rate: median(rates) });
  }
  return growth;
}
