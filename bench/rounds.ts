import { cpus, loadavg, totalmem } from "node:os";

/** One subject's cost of one operation in one round, in microseconds. */
export interface Cost {
  /** Wall-clock time; for concurrent operations, each one's share. */
  readonly wall: number;
  /** This process's CPU time. */
  readonly cpu: number;
}

/** A subject of measurement: runs `count` operations. */
export type Subject = (count: number) => Promise<void>;

/**
 * Measures subjects against each other: in every round each in turn, so that what disturbs the machine disturbs all of
 * them; one round first that does not count.
 */
export async function inRounds<Name extends string>(
  subjects: Readonly<Record<Name, Subject>>,
  { rounds, count }: { readonly rounds: number; readonly count: number },
): Promise<Record<Name, Cost[]>> {
  const names = Object.keys(subjects) as Name[];
  const costs = Object.fromEntries(names.map((name) => [name, [] as Cost[]])) as Record<Name, Cost[]>;
  for (let round = -1; round < rounds; round++) {
    // The order changes each round, because earlier subjects affect the heap of later ones.
    for (const name of round % 2 === 0 ? names : names.toReversed()) {
      const cost = await measure(subjects[name], count);
      if (round >= 0) costs[name].push(cost);
    }
  }
  return costs;
}

async function measure(run: Subject, count: number): Promise<Cost> {
  const cpu = process.cpuUsage();
  const started = performance.now();
  await run(count);
  const wall = (performance.now() - started) * 1000;
  const { user, system } = process.cpuUsage(cpu);
  return { wall: wall / count, cpu: (user + system) / count };
}

/** Returns the median of the ratio of two subjects' costs in the same round. */
export function ratio(one: readonly Cost[], other: readonly Cost[], of: keyof Cost): number {
  return median(one.map((cost, round) => cost[of] / other[round]![of]));
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Describes the machine: `2 × AMD EPYC, 24 GiB, Node 20.20.2; load average at the end 1.1`. */
export function machine(node = process.versions.node): string {
  const memory = Math.round(totalmem() / 2 ** 30);
  const load = loadavg()[0]?.toFixed(1);
  return `${cpus().length} × ${cpus()[0]?.model.trim()}, ${memory} GiB, Node ${node}; load average at the end ${load}`;
}
