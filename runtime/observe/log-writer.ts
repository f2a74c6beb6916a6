import { writeSync } from "node:fs";

/** Standard output takes this much at once, and this much in a second from then on. */
const BURST_BYTES = 16 * 1024 * 1024;
const BYTES_A_SECOND = 1024 * 1024;
/** How often it is tried to say what was dropped. */
const RETRY_MS = 1_000;
/** How long a reader that is behind is waited for, in all and at a time. */
const PATIENCE_MS = 100;
const PAUSE_MS = 5;

/** What a line says of those that were dropped before it. */
export interface Dropped {
  readonly lines: number;
  /** Why the last one was: "ENOSPC", or "RATE". */
  readonly reason: string;
}

export interface LogWriterOptions {
  /** Writes what it can of some bytes, and returns how much; throws as `writeSync` does. Default: to standard output. */
  readonly write?: (bytes: Buffer) => number;
  /** Makes the line, with its end, that reports what was dropped. */
  readonly report: (dropped: Dropped) => string;
}

/**
 * Writes log lines to standard output, at once. A line that cannot be written, since the disk is full or the reader gone,
 * is dropped, and so is what exceeds 1 MiB a second after the first 16: no log line ends its process or fills a disk. How
 * many were dropped is the next line that can be written.
 */
export class LogWriter {
  readonly #write: (bytes: Buffer) => number;
  readonly #report: (dropped: Dropped) => string;
  #dropped: Dropped | undefined;
  /** Whether the last line was written only in part. */
  #torn = false;
  #allowance = BURST_BYTES;
  #at = performance.now();

  constructor({ write = (bytes) => writeSync(1, bytes), report }: LogWriterOptions) {
    this.#write = write;
    this.#report = report;
  }

  write(line: string): void {
    const bytes = Buffer.from(line);
    if (!this.#mayWrite(bytes.length)) this.#drop("RATE");
    else if (this.#sayDropped()) this.#put(bytes);
    else this.#drop(this.#dropped!.reason);
  }

  #mayWrite(bytes: number): boolean {
    const now = performance.now();
    this.#allowance = Math.min(BURST_BYTES, this.#allowance + ((now - this.#at) / 1000) * BYTES_A_SECOND);
    this.#at = now;
    if (bytes > this.#allowance) return false;
    this.#allowance -= bytes;
    return true;
  }

  /** Says what was dropped, if anything was. Returns whether nothing is left to be said. */
  #sayDropped(): boolean {
    const dropped = this.#dropped;
    if (dropped === undefined) return true;
    const error = this.#tryPut(Buffer.from(this.#report(dropped)));
    this.#dropped = error === undefined ? undefined : { ...dropped, reason: error };
    return error === undefined;
  }

  #put(bytes: Buffer): void {
    const error = this.#tryPut(bytes);
    if (error !== undefined) this.#drop(error);
  }

  #drop(reason: string): void {
    if (this.#dropped === undefined) this.#sayLater();
    this.#dropped = { lines: (this.#dropped?.lines ?? 0) + 1, reason };
  }

  #sayLater(): void {
    setTimeout(() => {
      if (!this.#sayDropped()) this.#sayLater();
    }, RETRY_MS).unref();
  }

  /** Writes all of it. Returns why it could not, if so. */
  #tryPut(line: Buffer): string | undefined {
    // What was cut off keeps a line of its own.
    let left = this.#torn ? Buffer.concat([newline, line]) : line;
    // A reader that was waited for in vain is not waited for at every line.
    let patience = this.#dropped?.reason === "EAGAIN" ? 0 : PATIENCE_MS;
    const { length } = left;
    while (left.length > 0) {
      try {
        left = left.subarray(this.#write(left));
      } catch (error) {
        const { code = "error" } = error as NodeJS.ErrnoException;
        if (code === "EAGAIN" && patience > 0) {
          patience -= PAUSE_MS;
          Atomics.wait(clock, 0, 0, PAUSE_MS);
          continue;
        }
        this.#torn ||= left.length < length;
        return code;
      }
    }
    this.#torn = false;
    return undefined;
  }
}

const newline = Buffer.from("\n");
const clock = new Int32Array(new SharedArrayBuffer(4));
