import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { startPostgres } from "../generator/dev/postgres.js";
import { migrate } from "../runtime/service/migrations.js";
import { measureCache } from "./data/cache.js";
import { countQueries } from "./data/queries.js";
import { report } from "./data/report.js";
import { measureRepository } from "./data/repository.js";
import { machine } from "./rounds.js";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const migrations = (service: string) => new URL(`../examples/shop/${service}/migrations/`, import.meta.url);

/**
 * What the generated repository costs beside Drizzle written by hand, a cache hit beside `lru-cache`, and how many
 * statements a request runs. Argument: `--rounds=<n>`.
 */
export async function bench(args: readonly string[]): Promise<void> {
  const rounds = Number(args.find((arg) => arg.startsWith("--rounds="))?.slice("--rounds=".length) ?? 9);
  await mkdir(here("../.scaffold"), { recursive: true });
  const folder = await mkdtemp(here("../.scaffold/bench-data-"));
  const postgres = await startPostgres({ directory: join(folder, "postgres") });
  try {
    const database = async (service: string) => {
      await postgres.createDatabase(service);
      await migrate({ url: postgres.url(service), directory: migrations(service) });
      return postgres.url(service);
    };
    const orders = await database("orders");
    const repository = await measureRepository(orders, rounds);
    const cache = await measureCache(orders, rounds);
    const queries = await countQueries(await database("inventory"));
    const text = report({ repository, cache, queries, rounds, machine: machine() });
    process.stdout.write(text);
    await mkdir(here("results"), { recursive: true });
    await writeFile(here("results/data.md"), text);
  } finally {
    await postgres.stop();
    await rm(folder, { recursive: true, force: true });
  }
}
