import { median } from "../rounds.js";
import { type Kind, type ProcessFigures, sum } from "./processes.js";
import type { Span } from "./running.js";

export interface Results {
  /** Starts with no data, with the data of an earlier start, and by the tool's TypeScript sources. */
  readonly first: Span[];
  readonly again: Span[];
  readonly sources: Span[];
  /** Saved files: a handler, a service's own contract, and one that others import. */
  readonly handler: Span[];
  readonly own: Span[];
  readonly shared: Span[];
  /** The processes at the beginning and the end of a time at rest. */
  rest:
    | { readonly ms: number; readonly before: readonly ProcessFigures[]; readonly after: readonly ProcessFigures[] }
    | undefined;
}

/** The results as a page. */
export function report(results: Results, { machine, rounds }: { machine: string; rounds: number }): string {
  const spans = [
    ["start, no data yet", results.first, ""],
    ["start", results.again, "< 5,000 ms"],
    ["start, the tool from its TypeScript sources", results.sources, ""],
    ["saved handler to its new answer through the gateway", results.handler, "< 1,500 ms"],
    ["saved contract of one service to the running system", results.own, "< 3,000 ms"],
    ["saved contract that four others import to the running system", results.shared, "< 3,000 ms"],
  ] as const;
  const rows = spans.map(([name, all, goal]) => {
    const walls = all.map(({ wall }) => wall);
    return `| ${name} | ${ms(median(walls))} | ${ms(Math.min(...walls))}–${ms(Math.max(...walls))} | ${ms(median(all.map(({ cpu }) => cpu)))} | ${goal} |`;
  });
  return `# Development

\`npm run bench -- dev\`: ${rounds} rounds; the median, and from the lowest to the highest. \`scaffold dev --watch\` runs a copy of the shop: seven services, two
gateways, the load balancer and PostgreSQL. The tool runs from JavaScript as the published package has it, except where the table
says otherwise. A start ends when everything is healthy. Processor time is that of all processes, PostgreSQL's too.

${machine}.

| what | ms | from–to | processor ms | goal |
| --- | ---: | ---: | ---: | --- |
${rows.join("\n")}
${results.rest === undefined ? "" : atRest(results.rest)}`;
}

function atRest({ ms: duration, before, after }: NonNullable<Results["rest"]>): string {
  const used = (one: ProcessFigures) => one.cpu - (before.find(({ pid }) => pid === one.pid)?.cpu ?? one.cpu);
  const percent = (cpu: number) => `${((100 * cpu) / duration).toFixed(2)} %`;
  const line = (name: string, all: readonly ProcessFigures[], goals = ["", ""]) =>
    `| ${name} | ${percent(sum(all, used))} | ${ms(sum(all, ({ rss }) => rss))} | ${ms(sum(all, ({ pss }) => pss))} | ${goals.join(" | ")} |`;
  const of = (kind: Kind) => after.filter((one) => one.kind === kind);
  const other = of("other");
  return `
## At rest

A started system without calls, over ${duration / 1000} s, in percent of one core. Resident memory counts what processes share, such as Node's own
program, once for each; proportional memory counts it once.

| processes | processor | resident MiB | proportional MiB | goal, processor | goal, memory |
| --- | ---: | ---: | ---: | --- | --- |
${[
  line("Node.js", of("node"), ["< 2 %", "< 700"]),
  ...of("node").map((one) => line(`· ${one.name}`, [one])),
  line("PostgreSQL", of("postgres")),
  ...(other.length > 0 ? [line(`others: ${other.map(({ name }) => name).join(", ")}`, other)] : []),
].join("\n")}
`;
}

function ms(value: number): string {
  return Math.round(value).toLocaleString("en");
}
