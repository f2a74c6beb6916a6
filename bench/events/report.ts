import { median } from "../rounds.js";

/** Ours; by hand, with rows written as ours writes them; by hand, with all of it in plain SQL. */
export type Who = "ours" | "hand" | "plain";

export interface Measured {
  /** Events in a second, by round. */
  readonly rates: number[];
  /** Milliseconds, of all rounds. */
  readonly latencies: number[];
  /** Microseconds of processor time of the one process for each event, by round. */
  readonly cpu: number[];
}

/** How the rate changes with partitions and consumers. */
export interface Growth {
  readonly partitions: number;
  readonly consumers: number;
  readonly apart: boolean;
  readonly rate: number;
}

export type BrokerResults =
  | ({ readonly name: string; readonly growth: readonly Growth[] } & Readonly<Record<Who, Measured>>)
  | { readonly name: string; readonly absent: string };

export interface Results {
  readonly results: readonly BrokerResults[];
  readonly rounds: number;
  readonly count: number;
  readonly machine: string;
}

/** The results as a page. */
export function report({ results, rounds, count, machine }: Results): string {
  return `# Events

\`npm run bench -- events\`: ${rounds} rounds, all in turn in each; medians, and the median of the ratios within the rounds with the lowest and
the highest. ${count.toLocaleString("en")} transactions, 16 at a time, each write a row and publish an event of one of 64 keys; each event is handled in a transaction that writes
a row. Rate: from the first publication to the end of the last handler's transaction. Latency: of 200 events, one every 5 ms, from the
beginning of the publishing transaction to the end of the handling one. CPU: of Node.js, for each event, both ends together; the databases' and the broker's come on
top. All is bundled as services are, and shares the machine's cores; commits reach the disk.

By hand: the same durable work (outbox, inbox, acknowledgement after commit; Kafka with acks=all and an idempotent producer, RabbitMQ with a quorum queue and
confirms) with \`pg\` and the broker's client library alone, in order by key, without order across failures, retries, dead letters or replay. By hand over
PostgreSQL and RabbitMQ there is one queue without partitions, and one consumer. In the first line by hand, rows are written as ours are, by the same repository (a
product: seven columns, three CHECKs, a key and an etag made in the process), so the ratio with it is about the events alone; in the second all is plain SQL of \`pg\`, and the row has two
columns. The goal is about the first. Round trips to the databases for each event, the relay and the broker apart: ours 5 (2 to publish, 3 to handle), by hand 8; commits: 2 and 2.

${machine}.

| broker | | events/s | from–to | p50 ms | p99 ms | CPU µs | goal | ours ÷ this |
| --- | --- | ---: | ---: | ---: | ---: | ---: | --- | --- |
${results.map(lines).join("\n")}

## Growth

Ours, with more partitions and consumers. "apart": each consumer is a process of its own; the publisher and the relay are one more.

| broker | partitions | consumers | events/s |
| --- | ---: | ---: | ---: |
${results.flatMap((result) => ("absent" in result ? [] : result.growth.map((each) => grown(result.name, each)))).join("\n")}
`;
}

function lines(result: BrokerResults): string {
  if ("absent" in result) return `| ${result.name} | absent: ${result.absent.split("\n", 1)[0]} | | | | | | | |`;
  const { name, ours, hand, plain } = result;
  return [
    `| ${name} | ours | ${figures(ours)} | | |`,
    `| ${name} | by hand, same rows | ${figures(hand)} | ≥ 0.8 | ${spread(ours, hand)} |`,
    `| ${name} | by hand, plain SQL | ${figures(plain)} | | ${spread(ours, plain)} |`,
  ].join("\n");
}

function spread(one: Measured, other: Measured): string {
  const ratios = one.rates.map((rate, round) => rate / (other.rates[round] ?? Number.NaN));
  return `${median(ratios).toFixed(2)} (${Math.min(...ratios).toFixed(2)}–${Math.max(...ratios).toFixed(2)})`;
}

function figures({ rates, latencies, cpu }: Measured): string {
  const sorted = latencies.toSorted((a, b) => a - b);
  const at = (share: number) => (sorted[Math.floor(share * (sorted.length - 1))] ?? Number.NaN).toFixed(1);
  return `${whole(median(rates))} | ${whole(Math.min(...rates))}–${whole(Math.max(...rates))} | ${at(0.5)} | ${at(0.99)} | ${whole(median(cpu))}`;
}

function grown(name: string, { partitions, consumers, apart, rate }: Growth): string {
  return `| ${name} | ${partitions} | ${consumers}${apart ? " apart" : ""} | ${whole(rate)} |`;
}

function whole(value: number): string {
  return Math.round(value).toLocaleString("en");
}
