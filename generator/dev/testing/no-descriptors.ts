import { closeSync, openSync } from "node:fs";
import { isServing } from "../health.js";
import { lockHolder, takeLock } from "../lock.js";
import { identify, isRunning } from "../pid.js";
import { readState } from "../state.js";

/** A program for tests: what a process without file descriptors knows of others. Arguments: an existing lock and state. */
const [lock = "", state = ""] = process.argv.slice(2);
const parent = (await identify(process.ppid))!;
const held: number[] = [];
try {
  for (;;) held.push(openSync("/dev/null", "r"));
} catch {
  // No file descriptors are left.
}
const failed = ({ code }: NodeJS.ErrnoException) => code;
const told = {
  parent: await isRunning(parent),
  gone: await isRunning({ pid: 2 ** 30, started: "long ago" }),
  identity: await identify(process.ppid).catch(failed),
  holder: await lockHolder(lock).catch(failed),
  taken: await takeLock(lock).catch(failed),
  state: await readState(state).catch(failed),
  serving: (await isServing(9, 1_000)) ?? "cannot tell",
};
for (const descriptor of held) closeSync(descriptor);
process.stdout.write(JSON.stringify(told));
