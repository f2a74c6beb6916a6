import { runFolder } from "./folder.js";
import { endLeftovers } from "./leftovers.js";
import type { RunState } from "./state.js";

/**
 * The guard: a small process beside the supervisor. When the supervisor ends without a cleanup (a SIGKILL, a crash), it lets
 * the services drain and then stops PostgreSQL, which would otherwise keep running.
 */
const folder = runFolder(process.argv[2]!);

// The supervisor reacts to signals of the terminal or a service manager.
for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(name, () => {});

let known: RunState | undefined;
let begun = false;
async function takeOver(): Promise<void> {
  if (begun) return;
  begun = true;
  await endLeftovers(folder, known);
}

process.on("disconnect", takeOver);
process.on("message", (state: RunState) => {
  known = state;
});
if (!process.connected) await takeOver();
