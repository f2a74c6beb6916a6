import { mkdir, rm, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { buildTool } from "../generator/testing/tool.js";
import { type Figures, measureSystem } from "./generate/measure.js";
import { report } from "./generate/report.js";
import { writeSystem } from "./generate/system.js";
import { machine } from "./rounds.js";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/**
 * How long generation takes for systems of 10, 100 and 300 services, beside `buf generate` running protoc-gen-es alone on
 * the same files. Arguments: other sizes; `--rounds=<n>`.
 */
export async function bench(args: readonly string[]): Promise<void> {
  const sizes = args.filter((arg) => /^\d+$/.test(arg)).map(Number);
  const rounds = Number(args.find((arg) => arg.startsWith("--rounds="))?.slice("--rounds=".length) ?? 5);
  // Inside the repository, so that node_modules is resolved.
  const place = here("../.scaffold/bench");
  await rm(place, { recursive: true, force: true });
  await mkdir(place, { recursive: true });
  const tool = await buildTool(`${place}/tool`);
  const all: Figures[] = [];
  for (const size of sizes.length > 0 ? sizes : [10, 100, 300]) {
    const root = `${place}/system-${size}`;
    await writeSystem(root, size);
    all.push(await measureSystem({ root, size, tool, rounds, log: (line) => process.stderr.write(`${line}\n`) }));
  }
  await rm(place, { recursive: true, force: true });
  const text = report(all, { machine: `${machine()} (2 to 3 of it is this)`, rounds });
  process.stdout.write(text);
  await mkdir(here("results"), { recursive: true });
  await writeFile(here("results/generate.md"), text);
}
