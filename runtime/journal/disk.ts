import { type FileHandle, open } from "node:fs/promises";

/**
 * Writes all of `bytes` at `position`, or else at the file's current offset. A single write(2) may write less than requested without
 * an error, above all on a disk that is almost full.
 *
 * @throws Error if not all of it can be written; a part may have been
 */
export async function writeAll(file: FileHandle, bytes: Uint8Array, position: number | null = null): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, at, bytes.length - at, position === null ? null : position + at);
    if (bytesWritten === 0) throw new Error(`only ${at} of ${bytes.length} bytes could be written`);
    at += bytesWritten;
  }
}

/** Syncs a folder: a new file's name survives a crash only after that. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
