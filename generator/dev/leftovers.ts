import { rm } from "node:fs/promises";
import type { RunFolder } from "./folder.js";
import { ended, isRunning, type ProcessIdentity, signal } from "./pid.js";
import { stopPostgres } from "./postgres/stop.js";
import { stopPostgresIn } from "./postgres.js";
import { type RunState, readState } from "./state.js";

/**
 * Ends the processes that a dead supervisor left: waits for its services and gateways, which drain by themselves without it, kills
 * those that do not end, and then stops PostgreSQL. Only touches processes that it started, never one that has got a pid of
 * theirs since. Returns their number.
 *
 * @param known the running processes, if they are known better than from the state file
 */
export async function endLeftovers(folder: RunFolder, known?: RunState): Promise<number> {
  const state = known ?? (await readState(folder.state));
  const processes = (state?.processes ?? []).flatMap((record) => record.process ?? []);
  const left = await Promise.all(processes.map((process) => endProcess(process, state!.drainMs)));
  const postgres = await stopPostgresIn(folder.postgres);
  // If the folder was removed, this is the only way to find it.
  if (state?.postgres?.process !== undefined) await stopPostgres(state.postgres.process);
  await rm(folder.state, { force: true });
  return left.filter(Boolean).length + (postgres ? 1 : 0);
}

/** Waits for the guard of a dead supervisor, which may be ending the rest at this moment. */
export async function awaitGuard(folder: RunFolder): Promise<void> {
  const state = await readState(folder.state);
  if (state?.guard === undefined || !(await isRunning(state.guard))) return;
  await ended(state.guard, state.drainMs + 20_000);
}

/** Sends no signal: the process is draining already, and a second request would hurry it. */
async function endProcess(process: ProcessIdentity, drainMs: number): Promise<boolean> {
  if (!(await isRunning(process))) return false;
  if (!(await ended(process, drainMs + 2_000))) await signal(process, "SIGKILL");
  await ended(process, 5_000);
  return true;
}
