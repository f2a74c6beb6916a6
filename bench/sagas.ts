import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { startPostgres } from "../generator/dev/postgres.js";
import { execute } from "../generator/testing/tables.js";
import { migrate } from "../runtime/service/migrations.js";
import { type Cost, inRounds, machine, median, ratio } from "./rounds.js";
import { AT_ONCE, bare, bySaga, type Databases, openPeers, placing, withSteps } from "./sagas/subjects.js";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const COUNT = 200;
const STEPS = [1, 2, 4, 8];
const RUNNING = [0, 1_000, 10_000, 100_000];

/** Measures the cost of a saga relative to its bare calls, the cost of a step, and how both grow with the number of running sagas. */
export async function bench(args: readonly string[]): Promise<void> {
  const rounds = Number(args.find((arg) => arg.startsWith("--rounds="))?.slice("--rounds=".length) ?? 9);
  await mkdir(here("../.scaffold"), { recursive: true });
  const folder = await mkdtemp(here("../.scaffold/bench-sagas-"));
  const postgres = await startPostgres({ directory: join(folder, "postgres") });
  try {
    const database = async (service: "orders" | "inventory" | "payments", name: string = service) => {
      await postgres.createDatabase(name);
      const directory = new URL(`../examples/shop/${service}/migrations/`, import.meta.url);
      await migrate({ url: postgres.url(name), directory });
      return postgres.url(name);
    };
    const urls = {
      orders: await database("orders"),
      inventory: await database("inventory"),
      payments: await database("payments"),
    };
    const whole = await measureWhole(urls, rounds);
    const steps = await measureSteps(await database("orders", "steps"), rounds);
    const growth = await measureGrowth((name) => database("orders", name), rounds);
    const text = report({ whole, steps, growth, rounds });
    process.stdout.write(text);
    await mkdir(here("results"), { recursive: true });
    await writeFile(here("results/sagas.md"), text);
  } finally {
    await postgres.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

interface Results {
  readonly whole: Readonly<Record<"saga" | "bare", readonly Cost[]>>;
  /** By the number of steps. */
  readonly steps: ReadonlyMap<number, readonly Cost[]>;
  /** By the number of other running sagas. */
  readonly growth: ReadonlyMap<number, readonly Cost[]>;
  readonly rounds: number;
}

/** Reserve, capture and confirm, as a saga and as sequential calls. */
async function measureWhole(urls: Databases, rounds: number): Promise<Results["whole"]> {
  const peers = await openPeers(urls);
  const saga = await placing(bySaga, urls.orders, peers.peers);
  const calls = await placing(bare, urls.orders, peers.peers);
  try {
    return await inRounds({ saga: saga.run, bare: calls.run }, { rounds, count: COUNT });
  } finally {
    await saga.close();
    await calls.close();
    await peers.close();
  }
}

/** Sagas whose steps respond at once, so that only the engine's cost remains. */
async function measureSteps(url: string, rounds: number): Promise<Results["steps"]> {
  const subjects = await Promise.all(
    STEPS.map(async (count) => {
      const { definition, peers } = withSteps(count);
      return [String(count), await placing(definition, url, peers)] as const;
    }),
  );
  const run = Object.fromEntries(subjects.map(([name, subject]) => [name, subject.run]));
  const costs = await inRounds(run, { rounds, count: COUNT });
  for (const [, subject] of subjects) await subject.close();
  return new Map(STEPS.map((count) => [count, costs[String(count)] ?? []]));
}

/** The same with two steps, while other sagas wait for a retry, each run in a database of its own. */
async function measureGrowth(database: (name: string) => Promise<string>, rounds: number): Promise<Results["growth"]> {
  const { definition, peers } = withSteps(2);
  const subjects: [string, Awaited<ReturnType<typeof placing>>][] = [];
  for (const running of RUNNING) {
    const url = await database(`growth_${running}`);
    await execute(
      url,
      `INSERT INTO "scaffold_sagas" ("id", "saga", "state", "input", "steps", "requests", "due_at", "deadline")
        SELECT 'waiting-' || "n", 'shop.orders.v1.OrderService/PlaceOrder', 'running', '\\x', ARRAY['reserve0'], ARRAY['\\x'::bytea],
          now() + interval '1 day', now() + interval '2 days' FROM generate_series(1, ${running}) AS "n"`,
    );
    await execute(url, `VACUUM ANALYZE "scaffold_sagas"`);
    subjects.push([String(running), await placing(definition, url, peers)]);
  }
  const run = Object.fromEntries(subjects.map(([name, subject]) => [name, subject.run]));
  const costs = await inRounds(run, { rounds, count: COUNT });
  for (const [, subject] of subjects) await subject.close();
  return new Map(RUNNING.map((running) => [running, costs[String(running)] ?? []]));
}

function report({ whole, steps, growth, rounds }: Results): string {
  const ratios = whole.saga.map((cost, round) => cost.wall / whole.bare[round]!.wall);
  const [few, many] = [STEPS[0]!, STEPS.at(-1)!];
  const perStep = (of: keyof Cost) =>
    median(steps.get(many)!.map((cost, round) => (cost[of] - steps.get(few)![round]![of]) / (many - few)));
  return `# Sagas

\`npm run bench -- sagas\`: ${rounds} rounds of ${COUNT} orders, all subjects in turn in each; medians. Embedded PostgreSQL on the same machine, commits reach the
disk. ${AT_ONCE} orders are under way at a time, each until it is settled; orders, inventory and payments each have a database, and no network is between
them. The processor time is this process's own; the database's is not in it.

${machine()}.

An order is placed, its goods reserved, its payment captured, and it is confirmed; bare, the same calls with the same keys are made by the handler, and what is not
done when it dies stays undone.

| | µs each | µs of processor |
| --- | ---: | ---: |
| as a saga | ${micro(whole.saga, "wall")} | ${micro(whole.saga, "cpu")} |
| bare calls | ${micro(whole.bare, "wall")} | ${micro(whole.bare, "cpu")} |
| ratio, lowest and highest of the rounds | ${median(ratios).toFixed(2)} (${Math.min(...ratios).toFixed(2)}–${Math.max(...ratios).toFixed(2)}) | ${ratio(whole.saga, whole.bare, "cpu").toFixed(2)} |

An order with a saga whose steps are answered at once, so that the engine and the order's own row are all that is left:

| steps | µs each | µs of processor |
| --- | ---: | ---: |
${[...steps].map(([count, costs]) => `| ${count} | ${micro(costs, "wall")} | ${micro(costs, "cpu")} |`).join("\n")}
| each further step | ${perStep("wall").toFixed(0)} | ${perStep("cpu").toFixed(0)} |

The same with two steps, while others wait in the same table for their next attempt:

| others | µs each | µs of processor |
| --- | ---: | ---: |
${[...growth].map(([count, costs]) => `| ${count.toLocaleString("en")} | ${micro(costs, "wall")} | ${micro(costs, "cpu")} |`).join("\n")}
`;
}

function micro(costs: readonly Cost[], of: keyof Cost): string {
  return median(costs.map((cost) => cost[of])).toFixed(0);
}
