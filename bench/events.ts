import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { productEntity } from "@shop/generated/shop/inventory/v1/inventory_repository.js";
import { startPostgres } from "../generator/dev/postgres.js";
import { createTables, execute } from "../generator/testing/tables.js";
import { runtimeTables } from "../runtime/service/migrations.js";
import { kafkaEngine } from "../scripts/testing/kafka-engine.js";
import { rabbitmqEngine } from "../scripts/testing/rabbitmq-engine.js";
import { bundlePrograms } from "./bundle.js";
import type { Job, Outcome } from "./events/measure.js";
import { type BrokerResults, report } from "./events/report.js";
import { machine } from "./rounds.js";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** Starts a broker to measure; rejects if it is not installed. */
interface Subject {
  readonly name: Job["broker"];
  start(): Promise<{ readonly url: string; stop(): Promise<void> }>;
}

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
  const programs = await bundlePrograms("events", ["measure", "consumer"]);
  const postgres = await startPostgres({ directory: join(folder, "postgres") });
  try {
    const database = async (name: string) => {
      await postgres.createDatabase(name);
      return postgres.url(name);
    };
    const [producerUrl, consumerUrl] = [await database("producer"), await database("consumer")];
    for (const url of [producerUrl, consumerUrl]) {
      await createTables(url, [productEntity.table]);
      await execute(url, runtimeTables);
    }
    const subjects: readonly Subject[] = [
      {
        name: "PostgreSQL",
        start: async () => ({ url: await database("broker"), stop: async () => undefined }),
      },
      { name: "Kafka", start: () => engine(kafkaEngine) },
      { name: "RabbitMQ", start: () => engine(rabbitmqEngine) },
    ];
    const results: BrokerResults[] = [];
    for (const { name, start } of subjects) {
      if (wanted !== undefined && !wanted.includes(name.toLowerCase())) continue;
      const broker = await start().catch((error: Error) => error);
      if (broker instanceof Error) {
        results.push({ name, absent: broker.message });
        continue;
      }
      try {
        const job: Job = { broker: name, producerUrl, consumerUrl, brokerUrl: broker.url, rounds, count };
        const { measured, growth } = await measure(join(programs, "measure.mjs"), job);
        results.push({ name, ...measured, growth });
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

/** Runs a measurement in a process of its own. */
async function measure(program: string, job: Job): Promise<Outcome> {
  const child = fork(program);
  child.send(job);
  const [outcome] = await Promise.race([once(child, "message"), once(child, "exit")]);
  if (typeof outcome !== "object") throw new Error(`${program} ended without an outcome`);
  await once(child, "exit");
  return outcome;
}
