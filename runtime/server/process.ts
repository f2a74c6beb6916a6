import { EnvironmentError } from "../config/environment.js";
import type { Logger } from "../observe/log.js";

/** Something that runs until it is told to stop. */
export interface Running {
  /** Ends what is running without cutting it, then lets go of everything. */
  stop(): Promise<void>;
}

/**
 * Lives as a process: starts, runs until SIGTERM, SIGINT, or the death of a parent that holds an IPC channel, then stops
 * in order and exits with 0. A second signal exits at once with 1. A start that fails says why and exits with 1; what is
 * wrong with the environment goes to standard error as text, since a person has to mend it.
 */
export async function live(log: () => Logger | undefined, start: () => Promise<Running>): Promise<void> {
  const held = process.connected === true;
  let running: Running;
  try {
    running = await start();
  } catch (error) {
    if (error instanceof EnvironmentError || log() === undefined) {
      process.stderr.write(`${error instanceof EnvironmentError ? error.message : (error as Error).stack}\n`);
    } else {
      log()?.fatal({ err: error }, error instanceof Error ? error.message : String(error));
    }
    process.exit(1);
  }
  const reason = await stopRequest(held);
  log()?.info({ reason }, "draining");
  await running.stop();
  log()?.info("stopped");
  process.exit(0);
}

/** Settles with what asked this process to stop. `held`: it was started with an IPC channel. */
function stopRequest(held: boolean): Promise<string> {
  return new Promise((resolve) => {
    let asked = false;
    const ask = (reason: string) => {
      if (asked && reason !== "disconnect") process.exit(1);
      asked = true;
      resolve(reason);
    };
    process.on("SIGTERM", ask);
    process.on("SIGINT", ask);
    if (!held) return;
    // The parent may be gone since before the start was done.
    if (process.connected) process.once("disconnect", () => ask("disconnect"));
    else ask("disconnect");
  });
}
