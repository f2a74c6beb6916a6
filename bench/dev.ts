import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { buildTool } from "../generator/testing/tool.js";
import { copyShop } from "./dev/copy.js";
import { contractEdit, handlerEdit } from "./dev/edits.js";
import { processesOf } from "./dev/processes.js";
import { type Results, report } from "./dev/report.js";
import { startSystem } from "./dev/running.js";
import { machine } from "./rounds.js";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
/** The time in milliseconds after which a started system counts as at rest, and the time for which it is then measured. */
const SETTLE_MS = 20_000;
const REST_MS = 30_000;

/**
 * Measures the start of the shop under `scaffold dev --watch`, the time from a saved file to the running system, and what a
 * system at rest costs. Arguments: `--rounds=<n>`, and `--no-rest` to leave out the measurement at rest.
 */
export async function bench(args: readonly string[]): Promise<void> {
  const rounds = Number(args.find((arg) => arg.startsWith("--rounds="))?.slice("--rounds=".length) ?? 5);
  const log = (line: string) => process.stderr.write(`${line}\n`);
  const place = here("../.scaffold/bench-dev");
  await rm(place, { recursive: true, force: true });
  await mkdir(place, { recursive: true });
  try {
    const tool = await buildTool(join(place, "tool"));
    const shop = await copyShop(join(place, "shop"));
    const results: Results = { first: [], again: [], sources: [], handler: [], own: [], shared: [], rest: undefined };
    for (let round = 0; round < rounds; round++) {
      for (const [kind, command] of [
        ["first", tool],
        ["again", tool],
        ["sources", here("../generator/bin/scaffold.js")],
      ] as const) {
        if (kind === "first") await rm(join(shop.root, ".scaffold"), { recursive: true, force: true });
        const system = await startSystem(shop.root, command);
        results[kind].push(system.start);
        log(`start, ${kind}: ${Math.round(system.start.wall)} ms, processor ${Math.round(system.start.cpu)} ms`);
        await system.stop();
      }
    }
    const system = await startSystem(shop.root, tool);
    try {
      if (!args.includes("--no-rest")) {
        await sleep(SETTLE_MS);
        const before = processesOf(system.pid);
        await sleep(REST_MS);
        results.rest = { ms: REST_MS, before, after: processesOf(system.pid) };
      }
      // The first round warms up.
      for (let round = -1; round < rounds; round++) {
        for (const [kind, edit] of [
          ["handler", () => handlerEdit(shop, system, round + 2)],
          ["own", () => contractEdit(shop, system, "recommendations", round + 2)],
          ["shared", () => contractEdit(shop, system, "orders", round + 2)],
        ] as const) {
          const span = await edit();
          if (round >= 0) results[kind].push(span);
          log(`${kind}: ${Math.round(span.wall)} ms, processor ${Math.round(span.cpu)} ms`);
          // A change during another one would wait for it.
          await sleep(1_500);
        }
      }
    } finally {
      await system.stop();
    }
    const text = report(results, { machine: machine(), rounds });
    process.stdout.write(text);
    await mkdir(here("results"), { recursive: true });
    await writeFile(here("results/dev.md"), text);
  } finally {
    await rm(place, { recursive: true, force: true });
  }
}
