import { mkdir, mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type RunningSystem, runScaffold, type SystemOptions, startSystem } from "protoscaffold/testing/system";

export const root = fileURLToPath(new URL("../../../", import.meta.url));

/** The shop, run by `scaffold dev`. */
export interface Shop extends RunningSystem {
  /** Returns how many rows of a table in a service's database satisfy a condition. */
  count(service: string, table: string, where: string): Promise<number>;
}

/** Starts the shop on a free port, with its state in a folder of its own, and waits until it is ready. */
export async function startShop(options: Partial<Omit<SystemOptions, "root">> = {}): Promise<Shop> {
  const system = await startSystem({ ...options, root, state: options.state ?? (await stateFolder("shop-")) });
  return {
    ...system,
    async count(service, table, where) {
      const sql = `select count(*)::int as count from "${table}" where ${where}`;
      return (await system.query<{ count: number }>(service, sql))[0]!.count;
    },
  };
}

/** Makes a new folder inside the project, where programs find their packages. Git ignores it. */
export async function stateFolder(prefix: string): Promise<string> {
  const folder = join(root, ".scaffold", "tests");
  await mkdir(folder, { recursive: true });
  return mkdtemp(join(folder, prefix));
}

/** Runs a command of the tool in this project. */
export const scaffold = (...args: string[]) => runScaffold(args, { cwd: root });

/** Waits until a condition holds. Throws an Error that names it after half a minute. */
export async function until(what: string, holds: () => boolean | Promise<boolean>, atMostS = 30): Promise<void> {
  const end = Date.now() + atMostS * 1000;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`waited ${atMostS} s in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
