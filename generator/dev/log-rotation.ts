import { type FSWatcher, watch } from "node:fs";
import { appendFile, type FileHandle, open, rename, rm, stat, truncate } from "node:fs/promises";
import { dirname } from "node:path";

export interface RotationOptions {
  /** The size limit of a log. Default: 10 MiB. */
  readonly maxBytes?: number;
  /** The number of older parts: `orders.log.1` is the last one. Default: 2. */
  readonly keep?: number;
}

/** The polling interval of logs on systems without file watchers. */
const EVERY_MS = 5_000;
/** The delay from a write to the check of a log: later writes share the check. */
const AFTER_MS = 20;

/**
 * Keeps logs from growing without end. Processes write to them directly, so that nothing is lost with the supervisor: a log
 * that is too long is copied, and goes on from its beginning. What is written at that very moment may be lost, and so is what
 * comes faster than it can be kept: a log says how much that was. A log outgrows its bound by what is written in the moment
 * that it takes to notice; the older parts do not.
 */
export class LogRotation {
  #timer: NodeJS.Timeout | undefined;
  #soon: NodeJS.Timeout | undefined;
  #watcher: FSWatcher | undefined;
  #stopped = false;
  #running: Promise<void> = Promise.resolve();

  constructor(
    /** Returns the current paths of the logs, all in one folder. */
    private readonly logs: () => readonly string[],
    private readonly report: (message: string) => void,
    private readonly options: RotationOptions = {},
  ) {}

  start(): void {
    this.#timer = setInterval(() => this.#look(), EVERY_MS).unref();
    const [first] = this.logs();
    if (first === undefined) return;
    const look = () => {
      this.#soon = undefined;
      this.#look();
    };
    const later = () => {
      this.#soon ??= setTimeout(look, AFTER_MS).unref();
    };
    try {
      this.#watcher = watch(dirname(first), later).unref();
      // Without file watchers left, logs are polled every few seconds.
      this.#watcher.on("error", () => this.#watcher?.close());
    } catch {}
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#timer);
    clearTimeout(this.#soon);
    this.#watcher?.close();
    await this.#running;
  }

  #look(): void {
    this.#running = this.#running.then(() => this.#rotateAll());
  }

  async #rotateAll(): Promise<void> {
    for (const path of this.logs()) {
      if (this.#stopped) return;
      await rotate(path, this.options).catch((error: Error) =>
        this.report(`${path} cannot be rotated: ${error.message}`),
      );
    }
  }
}

/** Rotates a log that is too long. On a full disk its older parts are removed first, and then its content. */
export async function rotate(path: string, { maxBytes = 10 * 2 ** 20, keep = 2 }: RotationOptions = {}): Promise<void> {
  const size = await sizeOf(path);
  if (size === undefined || size <= maxBytes) return;
  const older = (n: number) => `${path}.${n}`;
  for (let n = keep; n >= 1; n--) {
    if (n === keep) await rm(older(n), { force: true });
    else await rename(older(n), older(n + 1)).catch(absent);
  }
  let lost = 0;
  try {
    if (keep > 0) lost = await copyEnd(path, older(1), maxBytes);
  } catch (error) {
    for (let n = 1; n <= keep; n++) await rm(older(n), { force: true });
    await truncate(path);
    throw error;
  }
  await truncate(path);
  if (lost === 0) return;
  const line = {
    level: "warn",
    time: new Date().toISOString(),
    msg: `${lost} bytes before this came too fast to be kept`,
  };
  await appendFile(path, `${JSON.stringify(line)}\n`, { mode: 0o600 });
}

const CHUNK = 2 ** 20;

/** Copies the last bytes of a file that may be written meanwhile. Returns the number of bytes left out. */
async function copyEnd(from: string, to: string, maxBytes: number): Promise<number> {
  const [source, target] = [await open(from, "r"), await open(to, "w", 0o600)];
  try {
    const { size } = await source.stat();
    // Bytes written since the check, and one line more, are no burst.
    const whole = size <= maxBytes + CHUNK;
    const start = whole ? 0 : await lineAfter(source, size - maxBytes);
    const most = whole ? size + CHUNK : maxBytes;
    let copied = 0;
    const buffer = Buffer.alloc(CHUNK);
    while (copied < most) {
      const { bytesRead } = await source.read(buffer, 0, Math.min(CHUNK, most - copied), start + copied);
      if (bytesRead === 0) break;
      await target.appendFile(buffer.subarray(0, bytesRead));
      copied += bytesRead;
    }
    return (await source.stat()).size - copied;
  } finally {
    await source.close();
    await target.close();
  }
}

/** Returns the start of the next line after a position, or the position if no line starts soon. */
async function lineAfter(file: FileHandle, position: number): Promise<number> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(2 ** 16), 0, 2 ** 16, position);
  const end = buffer.subarray(0, bytesRead).indexOf(10);
  return end === -1 ? position : position + end + 1;
}

async function sizeOf(path: string): Promise<number | undefined> {
  return (await stat(path).catch(absent))?.size;
}

function absent(error: NodeJS.ErrnoException): undefined {
  if (error.code !== "ENOENT") throw error;
  return undefined;
}
