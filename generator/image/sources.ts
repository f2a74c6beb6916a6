import { createHash, randomUUID } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { absent } from "../output/path.js";
import { addFollowed, filesIn } from "../project/files.js";
import type { KnownModules } from "./modules.js";

/**
 * A hash of all that `buf build` reads: the protos of every module, which modules there are, what pins those of others, and
 * buf itself, by its path. If it is the same, so is the image. Like buf, it follows links to files and none to folders.
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

/** Size and time of a program, for it is large. One that is found by its name alone may be another each time. */
function state(program: string): unknown {
  const there = statSync(program, { throwIfNoEntry: false });
  return there === undefined ? randomUUID() : [there.size, there.mtimeMs];
}
