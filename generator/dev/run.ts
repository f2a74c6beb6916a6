import { Console } from "./console.js";
import { watchParent } from "./parent.js";
import { Stopped, Supervisor, type SystemPlan } from "./supervisor.js";

/** npm passes a Ctrl-C on that the terminal has sent to both already: signals this close together are one. */
const SAME_MS = 500;

/**
 * Runs a system until it is told to stop: by Ctrl-C (again: without waiting for what drains; a third time: at once), by
 * SIGTERM, when its terminal closes, or when the npm that started it is gone. Rejects if it cannot start.
 */
export async function runSystem(plan: SystemPlan, console = new Console(plan.root)): Promise<void> {
  // Whoever read along may have gone; that is no reason to fall over and leave everything to the guard.
  for (const stream of [process.stdout, process.stderr]) stream.removeAllListeners("error").on("error", () => {});

  const supervisor = new Supervisor(plan, console);
  let asked = 0;
  let last = Number.NEGATIVE_INFINITY;
  const stopped = new Promise<void>((resolve, reject) => {
    const stop = (reason: string) => {
      if (performance.now() - last < SAME_MS) return;
      last = performance.now();
      asked++;
      if (asked > 2) process.exit(1);
      if (asked === 2) {
        console.warn("not waiting any longer");
        supervisor.kill();
        return;
      }
      console.note(`stopping (${reason}); Ctrl-C again does not wait for calls in flight`);
      supervisor.stop().then(resolve, reject);
    };
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => stop(signal));
    void watchParent(() => stop("npm is gone"));
  });
  let tellUp = () => {};
  const up = new Promise<void>((resolve) => {
    tellUp = resolve;
  });
  // From before it is up: what changes meanwhile is not missed.
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
  console.note("stopped");
}
