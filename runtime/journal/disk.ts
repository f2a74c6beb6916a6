import { type FileHandle, open } from "node:fs/promises";

/**
 * Writes all of `bytes`, at `position` or, without one, where the file's own offset is. One write(2) may take less than it
 * was given, on a disk that is almost full above all, and report no error.
 *
 * @throws Error if not all of it can be written; some of it may have been
 */
export async function writeAll(file: FileHandle, bytes: Uint8Array, position: number | null = null): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, at, bytes.length - at, position === null ? null : position + at);
    if (bytesWritten === 0) throw new Error(`only ${at} of ${bytes.length} bytes could be written`);
    at += bytesWritten;
  }
}

/** Syncs a folder: a file's name is on the disk only when its folder is. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
