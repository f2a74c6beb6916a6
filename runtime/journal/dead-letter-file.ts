import { type FileHandle, open, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { syncFolder, writeAll } from "./disk.js";

/** A file of JSON lines for a person, who may take the file away. Each line is on the disk as a whole, or refused. */
export class DeadLetterFile {
  /** Whether the file's name may not be on the disk yet. */
  #isNew = false;

  private constructor(
    private readonly path: string,
    private length: number,
  ) {}

  static async open(path: string): Promise<DeadLetterFile> {
    const { size } = (await stat(path).catch(absent)) ?? { size: 0 };
    return new DeadLetterFile(path, size);
  }

  /** The length of the file after the last write, in bytes. */
  get size(): number {
    return this.length;
  }

  /** Appends a line, and ends when the line is on the disk. @throws Error if it is not */
  async add(value: unknown): Promise<void> {
    const file = (await open(this.path, "r+").catch(absent)) ?? (await this.#create());
    try {
      const { size } = await file.stat();
      // A line that a crash cut off stays as it is. Its call is still in the journal and will be written again.
      const start = size > 0 && !(await endsLine(file, size)) ? "\n" : "";
      const bytes = Buffer.from(`${start}${JSON.stringify(value)}\n`);
      await append(file, bytes, size);
      this.length = size + bytes.length;
    } finally {
      await file.close();
    }
    if (this.#isNew) await syncFolder(dirname(this.path));
    this.#isNew = false;
  }

  #create(): Promise<FileHandle> {
    this.#isNew = true;
    return open(this.path, "wx+", 0o600);
  }
}

/** Appends to a file that is `size` long. The rest of a failed write is cut off again. */
async function append(file: FileHandle, bytes: Buffer, size: number): Promise<void> {
  try {
    await writeAll(file, bytes, size);
    await file.datasync();
  } catch (error) {
    await file.truncate(size).catch(() => undefined);
    throw error;
  }
}

async function endsLine(file: FileHandle, size: number): Promise<boolean> {
  const { buffer } = await file.read(Buffer.alloc(1), 0, 1, size - 1);
  return buffer[0] === 0x0a;
}

function absent(error: NodeJS.ErrnoException): undefined {
  if (error.code !== "ENOENT") throw error;
  return undefined;
}
