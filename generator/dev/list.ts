import pc from "picocolors";
import { duration } from "../text/duration.js";
import type { RunFolder } from "./folder.js";
import { isRunning } from "./pid.js";
import { type ProcessRecord, type ProcessState, readState } from "./state.js";
import { columns, inColor } from "./terminal.js";

/** A process of a running system, with the names of `scaffold ps`. */
export interface ListedProcess {
  readonly service: string;
  readonly pid: number | null;
  readonly port: number;
  readonly state: ProcessState;
  /** Seconds since the process started. Null: it does not run. */
  readonly uptime: number | null;
}

/** Returns the running processes of a project. */
export async function listProcesses(folder: RunFolder): Promise<ListedProcess[]> {
  const state = await readState(folder.state);
  if (state === undefined) return [];
  const supervised = await isRunning(state.supervisor);
  const records = [state.balancer, ...state.processes, ...(state.postgres ? [state.postgres] : [])];
  const listed = await Promise.all(records.map((record) => list(record, supervised)));
  // Of a dead supervisor, only processes that still run are listed.
  return supervised ? listed : listed.filter(({ state }) => state !== "stopped");
}

/** The state file counts only for processes that exist. */
async function list({ name, process, port, state, since }: ProcessRecord, supervised: boolean): Promise<ListedProcess> {
  const runs = process !== undefined && (await isRunning(process));
  const now = !supervised ? (runs ? "stopping" : "stopped") : runs || process === undefined ? state : "restarting";
  return {
    service: name,
    pid: runs ? process.pid : null,
    port,
    state: now,
    uptime: runs && since !== undefined ? Math.max(0, Math.round((Date.now() - since) / 1000)) : null,
  };
}

/** As a table. */
export function printProcesses(
  processes: readonly ListedProcess[],
  stream: { isTTY?: boolean } = process.stdout,
): string {
  const rows = processes.map(({ service, pid, port, state, uptime }) => [
    service,
    String(pid ?? "-"),
    String(port),
    state,
    uptime === null ? "-" : duration(uptime),
  ]);
  return columns(["service", "pid", "port", "state", "uptime"], rows, pc.createColors(inColor(stream)));
}
