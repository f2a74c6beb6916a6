import { runFolder } from "./folder.js";
import { endLeftovers } from "./leftovers.js";
import type { RunState } from "./state.js";

/**
 * The program of a small process beside the supervisor. When the supervisor is gone without having cleaned up (a SIGKILL,
 * a crash), it lets the services drain and then stops PostgreSQL, which nobody else would.
 */
const folder = runFolder(process.argv[2]!);

// Signals to a whole terminal or service manager are the supervisor's to act on.
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
