import { createHash, randomUUID } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { absent } from "../output/path.js";
import { addFollowed, filesIn } from "../project/files.js";
import type { KnownModules } from "./modules.js";

/**
 * Returns a digest of everything that `buf build` reads: the protos of every module, the list of modules, the lock file, and buf
 * itself, by its path. The same digest means the same image. Like buf, it follows links to files and none to folders.
 */
export function sourcesDigest(root: string, { text, modules, excludes }: KnownModules, buf: string): string {
  const digest = createHash("sha256").update(JSON.stringify([text, lock(root), buf, state(buf)]));
  for (const module of modules) {
    for (const file of filesIn(root, module === "." ? "" : module, (path) => excludes.includes(path))) {
      if (file.path.endsWith(".proto")) addFollowed(digest, root, file);
    }
  }
  return digest.digest("hex");
}

function lock(root: string): string | undefined {
  try {
    return readFileSync(join(root, "buf.lock"), "utf8");
  } catch (error) {
    return absent(error as NodeJS.ErrnoException);
  }
}

/** Identifies a program by size and time, because it is large. One that is found by its name alone may change unnoticed. */
function state(program: string): unknown {
  const there = statSync(program, { throwIfNoEntry: false });
  return there === undefined ? randomUUID() : [there.size, there.mtimeMs];
}
