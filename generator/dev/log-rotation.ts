import { copyFile, open, rename, rm, stat, truncate } from "node:fs/promises";

export interface RotationOptions {
  /** How long a log may get. Default: 10 MiB. */
  readonly maxBytes?: number;
  /** How many older parts are kept: `orders.log.1` is the last one. Default: 2. */
  readonly keep?: number;
}

const EVERY_MS = 5_000;

/**
 * Keeps logs from growing without end. Processes write to them directly, so that nothing is lost with the supervisor: a log
 * that is too long is copied, and goes on from its beginning. What is written at that very moment may be lost.
 */
export class LogRotation {
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> = Promise.resolve();

  constructor(
    /** The paths of the logs as they are at that time. */
    private readonly logs: () => readonly string[],
    private readonly report: (message: string) => void,
  ) {}

  start(): void {
    this.#timer = setInterval(() => {
      this.#running = this.#running.then(() => this.#rotateAll());
    }, EVERY_MS).unref();
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#running;
  }

  async #rotateAll(): Promise<void> {
    for (const path of this.logs()) {
      await rotate(path).catch((error: Error) => this.report(`${path} cannot be rotated: ${error.message}`));
    }
  }
}

/** Rotates a log that is too long. On a full disk its older parts go first, and then what it holds. */
export async function rotate(path: string, { maxBytes = 10 * 2 ** 20, keep = 2 }: RotationOptions = {}): Promise<void> {
  const size = await sizeOf(path);
  if (size === undefined || size <= maxBytes) return;
  const older = (n: number) => `${path}.${n}`;
  for (let n = keep; n >= 1; n--) {
    if (n === keep) await rm(older(n), { force: true });
    else await rename(older(n), older(n + 1)).catch(absent);
  }
  try {
    if (keep > 0) await copyWhole(path, older(1));
  } catch (error) {
    for (let n = 1; n <= keep; n++) await rm(older(n), { force: true });
    await truncate(path);
    throw error;
  }
  await truncate(path);
}

/** Copies a file that is written to meanwhile. */
async function copyWhole(from: string, to: string): Promise<void> {
  await copyFile(from, to);
  const { size } = await stat(to);
  const [source, target] = [await open(from, "r"), await open(to, "a")];
  try {
    // What came while it was copied: little, and read at once.
    const { buffer, bytesRead } = await source.read(Buffer.alloc(2 ** 20), 0, 2 ** 20, size);
    await target.appendFile(buffer.subarray(0, bytesRead));
  } finally {
    await source.close();
    await target.close();
  }
}

async function sizeOf(path: string): Promise<number | undefined> {
  return (await stat(path).catch(absent))?.size;
}

function absent(error: NodeJS.ErrnoException): undefined {
  if (error.code !== "ENOENT") throw error;
  return undefined;
}
