import { type Cost, median, ratio } from "../rounds.js";
import type { CacheCosts } from "./cache.js";
import type { Queries } from "./queries.js";
import type { RepositoryCosts } from "./repository.js";

export interface Results {
  readonly repository: RepositoryCosts;
  readonly cache: CacheCosts;
  readonly queries: readonly Queries[];
  readonly rounds: number;
  readonly machine: string;
}

/** The results as a page. */
export function report({ repository, cache, queries, rounds, machine }: Results): string {
  const pairs = [
    ...Object.entries(repository).map(
      ([what, { generated, hand }]) => [what, generated, "Drizzle by hand", hand, "≤ 1.1"] as const,
    ),
    ["cache hit", cache.hit, "`lru-cache`", cache.lru, "≤ 2"] as const,
  ];
  return `# Data

\`npm run bench -- data\`: ${rounds} rounds, both in turn in each; medians, and the median of the ratios within the rounds with the lowest and the
highest. Embedded PostgreSQL on the same machine, commits reach the disk. Orders of three lines; get and list (50 of them) from 1,000 rows, 8 calls under way at a time
on 8 connections, no cache. By hand: the same table, and the same message answered. The processor time is this process's own; the database's is not in it.
A cache hit is one call after the other, each behind an asynchronous function.

${machine}.

| operation | µs each | µs of processor | beside | µs each | µs of processor | goal | ratio | ratio of processor |
| --- | ---: | ---: | --- | ---: | ---: | --- | --- | --- |
${pairs.map(([what, ours, peer, theirs, goal]) => `| ${[what, micro(ours, "wall"), micro(ours, "cpu"), peer, micro(theirs, "wall"), micro(theirs, "cpu"), goal, ratios(ours, theirs, "wall"), ratios(ours, theirs, "cpu")].join(" | ")} |`).join("\n")}

## Statements of a request

| request | statements | which |
| --- | ---: | --- |
${queries.map(({ request, statements }) => `| ${request} | ${statements.length} | ${statements.join(", ") || "–"} |`).join("\n")}
`;
}

function micro(costs: readonly Cost[], of: keyof Cost): string {
  const value = median(costs.map((cost) => cost[of]));
  return value < 10 ? value.toFixed(2) : Math.round(value).toLocaleString("en");
}

function ratios(ours: readonly Cost[], theirs: readonly Cost[], of: keyof Cost): string {
  const all = ours.map((cost, round) => cost[of] / theirs[round]![of]);
  return `${ratio(ours, theirs, of).toFixed(2)} (${Math.min(...all).toFixed(2)}–${Math.max(...all).toFixed(2)})`;
}
