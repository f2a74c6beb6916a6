import { median } from "../rounds.js";

type Who = "ours" | "hand";

/** How the rate changes with partitions and consumers. */
export interface Growth {
  readonly partitions: number;
  readonly consumers: number;
  readonly rate: number;
}

export interface BrokerResults {
  readonly name: string;
  /** Events in a second, by round. */
  readonly rates: Readonly<Record<Who, readonly number[]>>;
  /** Milliseconds, of all rounds. */
  readonly latencies: Readonly<Record<Who, readonly number[]>>;
  readonly growth: readonly Growth[];
}

export interface Results {
  readonly results: readonly BrokerResults[];
  readonly rounds: number;
  readonly count: number;
  readonly machine: string;
}

/** The results as a page. */
export function report({ results, rounds, count, machine }: Results): string {
  return `# Events

\`npm run bench -- events\`: ${rounds} rounds, both in turn in each; medians, and the median of the ratios within the rounds with the lowest and
the highest. ${count.toLocaleString("en")} transactions, 16 at a time, each write a row and publish an event of one of 64 keys; each event is handled in a transaction that writes
a row. Rate: from the first publication to the end of the last handler's transaction. Latency: of 200 events, one every 5 ms, from the
beginning of the publishing transaction to the end of the handling one. By hand: the same tables and guarantees (outbox, inbox, acknowledgement after
commit) with \`pg\` and the broker's client library alone, without order across failures, retries, dead letters or replay.
All of it, the databases, the broker and both ends, shares the machine's cores; commits reach the disk.

${machine}.

| broker | | events/s | from–to | p50 ms | p99 ms | goal | ours ÷ by hand |
| --- | --- | ---: | ---: | ---: | ---: | --- | --- |
${results.map(pair).join("\n")}

## Growth

| broker | partitions | consumers | events/s |
| --- | ---: | ---: | ---: |
${results.flatMap(({ name, growth }) => growth.map(({ partitions, consumers, rate }) => `| ${name} | ${partitions} | ${consumers} | ${whole(rate)} |`)).join("\n")}
`;
}

function pair({ name, rates, latencies }: BrokerResults): string {
  const ratios = rates.ours.map((rate, round) => rate / (rates.hand[round] ?? Number.NaN));
  const spread = `${median(ratios).toFixed(2)} (${Math.min(...ratios).toFixed(2)}–${Math.max(...ratios).toFixed(2)})`;
  return [
    `| ${name} | ours | ${figures(rates.ours, latencies.ours)} | ≥ 0.8 | ${spread} |`,
    `| ${name} | by hand | ${figures(rates.hand, latencies.hand)} | | |`,
  ].join("\n");
}

function figures(rates: readonly number[], latencies: readonly number[]): string {
  const sorted = latencies.toSorted((a, b) => a - b);
  const at = (share: number) => (sorted[Math.floor(share * (sorted.length - 1))] ?? Number.NaN).toFixed(1);
  return `${whole(median(rates))} | ${whole(Math.min(...rates))}–${whole(Math.max(...rates))} | ${at(0.5)} | ${at(0.99)}`;
}

function whole(value: number): string {
  return Math.round(value).toLocaleString("en");
}
