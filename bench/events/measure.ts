import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { median } from "../rounds.js";
import { byHand, type HandBroker, plainRow, repositoryRow } from "./by-hand.js";
import { kafkaByHand } from "./kafka-by-hand.js";
import { ours } from "./ours.js";
import { measureLatency, measureRate, type Parts, type Pipeline } from "./pipeline.js";
import { postgresByHand } from "./postgres-by-hand.js";
import { rabbitmqByHand } from "./rabbitmq-by-hand.js";
import type { Growth, Measured, Who } from "./report.js";

/** What is asked of this program: run as a process of its own, it answers with an outcome. */
export interface Job extends Pick<Parts, "producerUrl" | "consumerUrl" | "brokerUrl"> {
  readonly broker: keyof typeof hands;
  readonly rounds: number;
  /** How many events are published in each. */
  readonly count: number;
}

export interface Outcome {
  readonly measured: Readonly<Record<Who, Measured>>;
  readonly growth: readonly Growth[];
}

/** What is written by hand for each broker. */
const hands = {
  PostgreSQL: ({ brokerUrl }: Parts) => postgresByHand(brokerUrl),
  Kafka: kafkaByHand,
  RabbitMQ: rabbitmqByHand,
} satisfies Record<string, (parts: Parts) => Promise<HandBroker>>;

/** Partitions, consumers, and whether each is a process of its own. */
const shapes: readonly (readonly [partitions: number, consumers: number, apart: boolean])[] = [
  [1, 1, false],
  [8, 1, false],
  [32, 1, false],
  [8, 1, true],
  [8, 2, true],
  [8, 4, true],
];

const partsOf = (
  { producerUrl, consumerUrl, brokerUrl }: Job,
  [partitions, consumers, apart]: (typeof shapes)[number],
) =>
  ({
    producerUrl,
    consumerUrl,
    brokerUrl,
    partitions,
    consumers,
    apart,
    topic: `bench.${randomUUID()}`,
  }) satisfies Parts;

async function compare(job: Job): Promise<Outcome["measured"]> {
  const hand = hands[job.broker];
  const makers: Readonly<Record<Who, (of: Parts) => Promise<Pipeline>>> = {
    ours,
    hand: async (of) => byHand(of, await hand(of), repositoryRow),
    plain: async (of) => byHand(of, await hand(of), plainRow),
  };
  const none = (): Measured => ({ rates: [], latencies: [], cpu: [] });
  const measured: Record<Who, Measured> = { ours: none(), hand: none(), plain: none() };
  const order = Object.entries(makers) as [Who, (of: Parts) => Promise<Pipeline>][];
  for (let round = -1; round < job.rounds; round++) {
    say(job, round < 0 ? "warming up" : `round ${round + 1} of ${job.rounds}`);
    for (const [who, make] of round % 2 === 0 ? order : order.toReversed()) {
      const pipeline = await make(partsOf(job, [8, 1, false]));
      await measureRate(pipeline, 100);
      const began = process.cpuUsage();
      const events = round < 0 ? job.count / 4 : job.count;
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

async function grow(job: Job): Promise<Growth[]> {
  const growth: Growth[] = [];
  for (const shape of shapes) {
    const [partitions, consumers, apart] = shape;
    say(job, `${partitions} partitions, ${consumers} consumers${apart ? " apart" : ""}`);
    const rates: number[] = [];
    for (let round = 0; round < Math.ceil(job.rounds / 2); round++) {
      const pipeline = await ours(partsOf(job, shape));
      await measureRate(pipeline, 100);
      rates.push(job.count / (await measureRate(pipeline, job.count)));
      await pipeline.close();
    }
    growth.push({ partitions, consumers, apart, rate: median(rates) });
  }
  return growth;
}

function say({ broker }: Job, what: string): void {
  process.stderr.write(`${broker}: ${what}\n`);
}

const [job] = (await once(process, "message")) as [Job];
const outcome: Outcome = { measured: await compare(job), growth: await grow(job) };
process.send?.(outcome, () => process.disconnect());
