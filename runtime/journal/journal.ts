import { appendFile, type FileHandle, mkdir, open, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Logger } from "../observe/log.js";
import { frame, readFrames } from "./frames.js";
import { lockFolder } from "./lock.js";

/** A call that was taken down. */
export interface Entry {
  /** Grows in the order in which calls came. */
  readonly id: number;
  /** The method's name in the contract. */
  readonly method: string;
  readonly key: string;
  /** A digest of the request without its key, in base64. */
  readonly fingerprint: string;
  /** The request, as binary protobuf in base64. */
  readonly request: string;
  /** The headers that go on from hop to hop. */
  readonly headers: Readonly<Record<string, string>>;
  /** When it came, in RFC 3339. */
  readonly at: string;
}

export interface JournalOptions {
  /** A folder that this process has for itself; made if it is not there. */
  readonly directory: string;
  /** How much may be in it, dead letters included. */
  readonly maxBytes: number;
  readonly log?: Logger;
}

/** What one frame says: calls that came, and ids of those that are settled. */
interface Page {
  readonly add: Entry[];
  readonly done: number[];
}

interface Waiting {
  readonly page: Page;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Calls that are still to be made, in a file: `journal`. What was added is on the disk before `add` ends; what was
 * settled may come back after a crash, so that whoever makes calls must know how to make one twice. Beside it,
 * `dead-letters.jsonl` keeps those that were refused, a line each, for a person to look at.
 */
export class Journal {
  readonly #path: string;
  readonly #lettersPath: string;
  readonly #maxBytes: number;
  readonly #unlock: () => Promise<void>;
  #file: FileHandle;
  #end: number;
  #letters: number;
  #nextId: number;
  readonly #entries: Map<number, Entry>;
  readonly #queue: Waiting[] = [];
  #writing: Promise<void> | undefined;

  private constructor(
    options: JournalOptions,
    parts: { file: FileHandle; unlock: () => Promise<void>; letters: number; end: number; entries: Map<number, Entry> },
  ) {
    this.#path = join(options.directory, "journal");
    this.#lettersPath = join(options.directory, "dead-letters.jsonl");
    this.#maxBytes = options.maxBytes;
    this.#unlock = parts.unlock;
    this.#file = parts.file;
    this.#letters = parts.letters;
    this.#end = parts.end;
    this.#entries = parts.entries;
    this.#nextId = Math.max(0, ...parts.entries.keys()) + 1;
  }

  /**
   * Opens a journal, with all that is in it. A last frame that was cut off by a crash is cut off here, too: nobody was
   * told that it is there.
   *
   * @throws Error if another process has it, or if it is damaged, which no crash does
   */
  static async open(options: JournalOptions): Promise<Journal> {
    const { directory, log } = options;
    // What callers send is nobody else's business.
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const unlock = await lockFolder(directory);
    try {
      const path = join(directory, "journal");
      await writeFile(path, "", { flag: "a", mode: 0o600 });
      await syncFolder(directory);
      const bytes = await readFile(path);
      const { payloads, end, damaged } = readFrames(bytes);
      if (damaged) {
        throw new Error(
          `${path} is damaged at byte ${end}, and holds calls after it that were accepted: restore it, or move it away and see to them by hand`,
        );
      }
      const entries = new Map<number, Entry>();
      for (const payload of payloads) {
        const { add, done } = JSON.parse(payload.toString()) as Page;
        for (const entry of add) entries.set(entry.id, entry);
        for (const id of done) entries.delete(id);
      }
      const letters = await endLine(join(directory, "dead-letters.jsonl"));
      const file = await open(path, "r+");
      if (end < bytes.length) {
        log?.warn({ path, bytes: bytes.length - end }, "the end of the journal was cut off by a crash");
        await file.truncate(end);
        await file.datasync();
      }
      return new Journal(options, { file, unlock, letters, end, entries });
    } catch (error) {
      await unlock();
      throw error;
    }
  }

  /** How many are still to be made. */
  get size(): number {
    return this.#entries.size;
  }

  /** All that are still to be made, in their order. */
  entries(): IterableIterator<Entry> {
    return this.#entries.values();
  }

  /** Adds a call; ends when it is on the disk. @throws Error if there is no room, or the disk fails */
  async add(call: Omit<Entry, "id">): Promise<Entry> {
    const entry = { id: this.#nextId++, ...call };
    await this.#write({ add: [entry], done: [] });
    return entry;
  }

  /** Takes out a call that was made. */
  async settle(entry: Entry): Promise<void> {
    this.#entries.delete(entry.id);
    await this.#write({ add: [], done: [entry.id] });
  }

  /** Takes out a call that was refused, and keeps it among the dead letters with what is to be said of it. */
  async bury(entry: Entry, said: Readonly<Record<string, unknown>>): Promise<void> {
    const line = `${JSON.stringify({ ...said, ...entry })}\n`;
    const file = await open(this.#lettersPath, "a", 0o600);
    try {
      await file.write(line);
      await file.datasync();
    } finally {
      await file.close();
    }
    this.#letters += Buffer.byteLength(line);
    await this.settle(entry);
  }

  async close(): Promise<void> {
    await this.#writing;
    await this.#file.close();
    await this.#unlock();
  }

  #write(page: Page): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ page, resolve, reject });
      this.#writing ??= this.#writeAll();
    });
  }

  /** Whatever has gathered while a frame was written goes into the next: many calls wait for one fsync. */
  async #writeAll(): Promise<void> {
    while (this.#queue.length > 0) {
      const waiting = this.#queue.splice(0);
      const page = { add: waiting.flatMap(({ page }) => page.add), done: waiting.flatMap(({ page }) => page.done) };
      try {
        await this.#writePage(page);
        for (const entry of page.add) this.#entries.set(entry.id, entry);
        for (const { resolve } of waiting) resolve();
      } catch (error) {
        // The next frame is written over what this one has left.
        await this.#file.truncate(this.#end).catch(() => undefined);
        for (const { page, resolve, reject } of waiting) {
          // What was made is made: after a crash it is made again, without effect.
          if (page.add.length > 0) reject(error);
          else resolve();
        }
      }
    }
    // At once: who is told just now may have more to write.
    this.#writing = undefined;
  }

  async #writePage(page: Page): Promise<void> {
    if (page.add.length === 0 && this.#entries.size === 0) {
      await this.#file.truncate(0);
      this.#end = 0;
    } else {
      const bytes = frame(Buffer.from(JSON.stringify(page)));
      if (!this.#hasRoom(bytes)) await this.#compact();
      if (!this.#hasRoom(bytes)) throw new Error(`the journal is full (JOURNAL_MAX_BYTES ${this.#maxBytes})`);
      await this.#file.write(bytes, 0, bytes.length, this.#end);
      await this.#file.datasync();
      this.#end += bytes.length;
      return;
    }
    await this.#file.datasync();
  }

  #hasRoom({ length }: Buffer): boolean {
    return this.#end + length + this.#letters <= this.#maxBytes;
  }

  /** Writes the file anew, with what is still to be made. */
  async #compact(): Promise<void> {
    const entries = [...this.#entries.values()];
    const bytes =
      entries.length === 0 ? Buffer.alloc(0) : frame(Buffer.from(JSON.stringify({ add: entries, done: [] })));
    if (bytes.length >= this.#end) return;
    const path = `${this.#path}-part`;
    const file = await open(path, "w", 0o600);
    await file.write(bytes);
    await file.datasync();
    await rename(path, this.#path);
    await syncFolder(join(this.#path, ".."));
    await this.#file.close();
    this.#file = file;
    this.#end = bytes.length;
  }
}

/** A file's name is on the disk only when its folder is. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** Ends a last line that was cut off by a crash; its call is still in the journal. Answers the file's length. */
async function endLine(path: string): Promise<number> {
  const text = await readFile(path).catch(() => Buffer.alloc(0));
  if (text.length === 0 || text.at(-1) === 0x0a) return text.length;
  await appendFile(path, "\n");
  return text.length + 1;
}
