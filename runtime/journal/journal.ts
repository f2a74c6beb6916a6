import { type FileHandle, mkdir, open, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Logger } from "../observe/log.js";
import { DeadLetterFile } from "./dead-letter-file.js";
import { syncFolder, writeAll } from "./disk.js";
import type { JournalEntry } from "./entry.js";
import { frame, type JournalFrame, readFrames, type TornFrame } from "./frames.js";
import { lockFolder } from "./lock.js";
import { type JournalPage, printPage, readPage, readTornPage, type TornPage } from "./page.js";

export interface JournalOptions {
  /** A folder that no other process uses. It is created if it does not exist. */
  readonly directory: string;
  /** The upper bound of the folder's files, dead letters included. */
  readonly maxBytes: number;
  readonly log?: Logger;
}

/** A page that waits for the next frame. */
interface PendingPage {
  readonly page: JournalPage;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Deferred calls in a file, `journal`. A call is on the disk as a whole before `add` ends. A call that was settled may come back after
 * a crash, so its handler must be idempotent. The file `dead-letters.jsonl` beside it keeps the calls that were refused, a line each,
 * for a person.
 */
export class Journal {
  readonly #path: string;
  readonly #maxBytes: number;
  readonly #unlock: () => Promise<void>;
  readonly #deadLetters: DeadLetterFile;
  readonly #entries: Map<number, JournalEntry>;
  #file: FileHandle;
  /** The offset of the next frame. Bytes after it belong to a failed write. */
  #end: number;
  /** Whether the file's name is on the disk, so that its content is found after a crash. */
  #isNamed = true;
  #nextId: number;
  readonly #queue: PendingPage[] = [];
  #writing: Promise<void> | undefined;

  private constructor(
    options: JournalOptions,
    parts: {
      file: FileHandle;
      unlock: () => Promise<void>;
      deadLetters: DeadLetterFile;
      end: number;
      entries: Map<number, JournalEntry>;
      nextId: number;
    },
  ) {
    this.#path = join(options.directory, "journal");
    this.#maxBytes = options.maxBytes;
    this.#unlock = parts.unlock;
    this.#file = parts.file;
    this.#deadLetters = parts.deadLetters;
    this.#end = parts.end;
    this.#entries = parts.entries;
    this.#nextId = parts.nextId;
  }

  /**
   * Opens a journal with its calls. A last frame that a crash cut off is removed, because its calls were never acknowledged. Of a torn
   * frame with other frames behind it, the whole entries are kept, and the rest is put aside and reported.
   *
   * @throws Error if another process has the journal, or if it is damaged in a way that no crash and no torn write leaves
   */
  static async open(options: JournalOptions): Promise<Journal> {
    const { directory, log } = options;
    // Only this user may read what callers send.
    const made = await mkdir(directory, { recursive: true, mode: 0o700 });
    if (made !== undefined) await syncFolders(directory, dirname(made));
    const unlock = await lockFolder(directory);
    let file: FileHandle | undefined;
    try {
      const path = join(directory, "journal");
      await writeFile(path, "", { flag: "a", mode: 0o600 });
      await syncFolder(directory);
      const bytes = await readFile(path);
      const { frames, end, damaged } = readFrames(bytes);
      if (damaged) {
        throw new Error(
          `${path} is damaged at byte ${end}, and holds calls after it that were accepted: restore it, or move it away and see to them by hand`,
        );
      }
      const entries = new Map<number, JournalEntry>();
      let nextId = 1;
      for (const frame of frames) {
        const { add, done } = await pageOf(frame, directory, log);
        for (const entry of add) {
          entries.set(entry.id, entry);
          // Ids of settled calls are not used again either: a later frame may settle them.
          nextId = Math.max(nextId, entry.id + 1);
        }
        for (const id of done) entries.delete(id);
      }
      const deadLetters = await DeadLetterFile.open(join(directory, "dead-letters.jsonl"));
      file = await open(path, "r+");
      if (end < bytes.length) {
        log?.warn({ path, bytes: bytes.length - end }, "the end of the journal was cut off by a crash");
        await file.truncate(end);
        await file.datasync();
      }
      return new Journal(options, { file, unlock, deadLetters, end, entries, nextId });
    } catch (error) {
      await file?.close();
      await unlock();
      throw error;
    }
  }

  /** The number of calls that are not settled. */
  get size(): number {
    return this.#entries.size;
  }

  /** Returns the calls that are not settled, in their order. */
  entries(): IterableIterator<JournalEntry> {
    return this.#entries.values();
  }

  /** Adds a call, and ends when all of it is on the disk. @throws Error if there is no room, or the disk fails */
  async add(call: Omit<JournalEntry, "id">): Promise<JournalEntry> {
    const entry = { id: this.#nextId++, ...call };
    await this.#write({ add: [entry], done: [] });
    return entry;
  }

  /** Removes a call that succeeded. */
  async settle(entry: JournalEntry): Promise<void> {
    this.#entries.delete(entry.id);
    await this.#write({ add: [], done: [entry.id] });
  }

  /** Moves a call that was refused to the dead letters, with further fields that say why. */
  async deadLetter(entry: JournalEntry, fields: Readonly<Record<string, unknown>>): Promise<void> {
    await this.#deadLetters.add({ ...fields, ...entry });
    await this.settle(entry);
  }

  async close(): Promise<void> {
    await this.#writing;
    await this.#file.close();
    await this.#unlock();
  }

  #write(page: JournalPage): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ page, resolve, reject });
      this.#writing ??= this.#writeAll();
    });
  }

  /** Pages that were added while a frame was written share the next frame, and so its fsync. */
  async #writeAll(): Promise<void> {
    while (this.#queue.length > 0) {
      const waiting = this.#queue.splice(0);
      const page = { add: waiting.flatMap(({ page }) => page.add), done: waiting.flatMap(({ page }) => page.done) };
      try {
        await this.#writePage(page);
        for (const entry of page.add) this.#entries.set(entry.id, entry);
        for (const { resolve } of waiting) resolve();
      } catch (error) {
        for (const { page, resolve, reject } of waiting) {
          // A settled call whose settling is not on the disk is made again after a crash, without effect.
          if (page.add.length > 0) reject(error);
          else resolve();
        }
      }
    }
    // Reset before any waiting caller runs: it may have more to write.
    this.#writing = undefined;
  }

  async #writePage(page: JournalPage): Promise<void> {
    if (page.add.length === 0 && this.#entries.size === 0) {
      await this.#file.truncate(0);
      this.#end = 0;
      await this.#file.datasync();
      return;
    }
    const bytes = frame(printPage(page));
    if (!this.#hasRoom(bytes)) await this.#compact();
    if (!this.#hasRoom(bytes)) throw new Error(`the journal is full (JOURNAL_MAX_BYTES ${this.#maxBytes})`);
    if (!this.#isNamed) await this.#name();
    try {
      await writeAll(this.#file, bytes, this.#end);
      await this.#file.datasync();
    } catch (error) {
      // If that fails, too, the next frame overwrites the rest of this one.
      await this.#file.truncate(this.#end).catch(() => undefined);
      throw error;
    }
    this.#end += bytes.length;
  }

  #hasRoom({ length }: Buffer): boolean {
    return this.#end + length + this.#deadLetters.size <= this.#maxBytes;
  }

  /** Replaces the file with one of unsettled calls alone. The old file stays until the new one is whole. */
  async #compact(): Promise<void> {
    const entries = [...this.#entries.values()];
    const bytes = entries.length === 0 ? Buffer.alloc(0) : frame(printPage({ add: entries, done: [] }));
    if (bytes.length >= this.#end) return;
    const path = `${this.#path}-part`;
    const file = await open(path, "w", 0o600);
    try {
      await writeAll(file, bytes);
      await file.datasync();
      await rename(path, this.#path);
    } catch (error) {
      await file.close();
      // The failure may be a full disk, and the file takes room.
      await rm(path, { force: true }).catch(() => undefined);
      throw error;
    }
    const old = this.#file;
    this.#file = file;
    this.#end = bytes.length;
    this.#isNamed = false;
    await old.close().catch(() => undefined);
    await this.#name();
  }

  /** Writes the file's name to the disk. Until then a crash may bring the old file back, without the calls added since. */
  async #name(): Promise<void> {
    await syncFolder(dirname(this.#path));
    this.#isNamed = true;
  }
}

/** Syncs the folders from `folder` up to `top`, because some of them are new. */
async function syncFolders(folder: string, top: string): Promise<void> {
  for (let path = folder; path !== top; ) {
    path = dirname(path);
    await syncFolder(path);
  }
}

async function pageOf(
  { payload, torn }: JournalFrame,
  directory: string,
  log: Logger | undefined,
): Promise<JournalPage> {
  if (torn === undefined) return readPage(payload);
  const page = readTornPage(payload);
  await putAside(directory, torn, page, log);
  return { add: page.add, done: [] };
}

/** Keeps the bytes of a torn frame for a person, and reports the loss. */
async function putAside(
  directory: string,
  { at, bytes }: TornFrame,
  { add, complete }: TornPage,
  log: Logger | undefined,
): Promise<void> {
  const path = join(directory, `journal-torn-${at}`);
  await writeFile(path, bytes, { mode: 0o600 }).catch((error) => log?.warn({ err: error, path }, "cannot be written"));
  const written = bytes.findLastIndex((byte) => byte !== 0) + 1;
  const lost = complete
    ? "all its calls are kept; those that it said were made may be made again, without effect"
    : "its whole calls are kept, those behind them are lost, one or more";
  log?.error(
    { at, bytes: bytes.length, written, kept: add.length, path },
    `the journal holds a frame that was only written in part: ${lost}; what is left of it was put aside`,
  );
}
