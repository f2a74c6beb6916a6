import { randomUUID } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { productEntity } from "@shop/generated/shop/inventory/v1/inventory_repository.js";
import { startPostgres } from "../generator/dev/postgres.js";
import { createTables, execute } from "../generator/testing/tables.js";
import { ownTables } from "../runtime/data/tables.js";
import { byHand, type HandBroker } from "./events/by-hand.js";
import { ours } from "./events/ours.js";
import { measureLatency, measureRate, type Parts, type Pipeline } from "./events/pipeline.js";
import { postgresByHand } from "./events/postgres-by-hand.js";
import { type BrokerResults, type Growth, report } from "./events/report.js";
import { machine, median } from "./rounds.js";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** A broker to measure over, and what is written by hand for it. */
interface Subject {
  readonly name: string;
  readonly url: string;
  hand(parts: Parts): Promise<HandBroker>;
}

/**
 * How many events go from a transaction to a transaction in a second, and how long one takes, over each broker, beside the
 * same durable work by hand. Arguments: `--rounds=<n>`, `--count=<n>`.
 */
export async function bench(args: readonly string[]): Promise<void> {
  const number = (name: string, usual: number) =>
    Number(args.find((arg) => arg.startsWith(`--${name}=`))?.slice(name.length + 3) ?? usual);
  const rounds = number("rounds", 5);
  const count = number("count", 3000);
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
    const parts = (brokerUrl: string, partitions = 8, consumers = 1): Parts => {
      return { producerUrl, consumerUrl, brokerUrl, partitions, consumers, topic: `bench.${randomUUID()}` };
    };
    const subjects: Subject[] = [
      { name: "PostgreSQL", url: await database("broker"), hand: ({ brokerUrl }) => postgresByHand(brokerUrl) },
    ];
    const results: BrokerResults[] = [];
    for (const { name, url, hand } of subjects) {
      const makers = {
        ours: (of: Parts) => ours(of),
        hand: async (of: Parts) => byHand(of, await hand(of)),
      };
      const rates: Record<keyof typeof makers, number[]> = { ours: [], hand: [] };
      const latencies: Record<keyof typeof makers, number[]> = { ours: [], hand: [] };
      for (let round = -1; round < rounds; round++) {
        const order = Object.entries(makers) as [keyof typeof makers, (of: Parts) => Promise<Pipeline>][];
        for (const [who, make] of round % 2 === 0 ? order : order.toReversed()) {
          const pipeline = await make(parts(url));
          await measureRate(pipeline, 50);
          const seconds = await measureRate(pipeline, round < 0 ? count / 4 : count);
          const found = await measureLatency(pipeline, round < 0 ? 20 : 200, 5);
          await pipeline.close();
          if (round < 0) continue;
          rates[who].push(count / seconds);
          latencies[who].push(...found);
        }
      }
      const growth: Growth[] = [];
      for (const [partitions, consumers] of [
        [1, 1],
        [2, 1],
        [8, 1],
        [8, 2],
        [32, 1],
      ] as const) {
        const found: number[] = [];
        for (let round = 0; round < Math.max(1, Math.ceil(rounds / 2)); round++) {
          const pipeline = await ours(parts(url, partitions, consumers));
          await measureRate(pipeline, 50);
          found.push(count / (await measureRate(pipeline, count)));
          await pipeline.close();
        }
        growth.push({ partitions, consumers, rate: median(found) });
      }
      results.push({ name, rates, latencies, growth });
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
