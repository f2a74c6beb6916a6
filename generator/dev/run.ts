import { watchParent } from "./parent.js";
import { Stopped, Supervisor, type SystemPlan } from "./supervisor.js";
import { Terminal } from "./terminal.js";

/** The time within which signals count as one: npm forwards a Ctrl-C that the terminal has sent to both processes. */
const SAME_MS = 500;

/**
 * Runs a system until it is stopped: by Ctrl-C (a second time: without a drain; a third time: at once), by SIGTERM, when its
 * terminal closes, or when the npm that started it has ended. Rejects if it cannot start.
 */
export async function runSystem(plan: SystemPlan, terminal = new Terminal(plan.root)): Promise<void> {
  // The reader of the output may have ended: do not crash and leave the cleanup to the guard.
  for (const stream of [process.stdout, process.stderr]) stream.removeAllListeners("error").on("error", () => {});

  const supervisor = new Supervisor(plan, terminal);
  let asked = 0;
  let last = Number.NEGATIVE_INFINITY;
  const stopped = new Promise<void>((resolve, reject) => {
    const stop = (reason: string) => {
      if (performance.now() - last < SAME_MS) return;
      last = performance.now();
      asked++;
      if (asked > 2) process.exit(1);
      if (asked === 2) {
        terminal.warn("not waiting any longer");
        supervisor.kill();
        return;
      }
      terminal.note(`stopping (${reason}); Ctrl-C again does not wait for calls in flight`);
      supervisor.stop().then(resolve, reject);
    };
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => stop(signal));
    void watchParent(() => stop("npm is gone"));
  });
  let tellUp = () => {};
  const up = new Promise<void>((resolve) => {
    tellUp = resolve;
  });
  // Watch before it is up, so that no change is missed.
  const watcher = await plan.watch?.((services, programs) => supervisor.reload(services, programs), up);
  try {
    await supervisor.start();
    tellUp();
    await stopped;
  } catch (error) {
    if (!(error instanceof Stopped)) throw error;
    await stopped;
  } finally {
    watcher?.close();
  }
  terminal.note("stopped");
}
