import { isNewer } from "./newer.js";
import { assertProjectPath } from "./path.js";
import { byCodeUnit } from "./text.js";

/**
 * An entry of the manifest: the hashes of what the tool wrote there (several only during a run, or after a merge of two
 * branches), "user" for a starter that was written, or "new" for one that is about to be written.
 */
export type Remembered = ReadonlySet<string> | "user" | "new";

/** The manifest: what earlier runs wrote, by path. */
export type Manifest = ReadonlyMap<string, Remembered>;

/** The manifest's file name in the folder of generated files. */
export const manifestName = "manifest.txt";

const header = "# What scaffold wrote: path, and the SHA-256 of the text, or whose the file is. Not to be edited.\n";

/** Returns the newest version of the tool in the manifest, which may have several after a merge. Undefined: none. */
export function writerOf(manifest: string): string | undefined {
  const versions = [...manifest.matchAll(/^# scaffold (\d\S*)\r?$/gm)].map(([, version = ""]) => version);
  return versions.reduce<string | undefined>((a, b) => (a !== undefined && isNewer(a, b) ? a : b), undefined);
}

/** Parses a manifest. Lines may be in any order, and may be repeated after a merge with merge=union. */
export function parseManifest(text: string, file: string = manifestName): Manifest {
  const manifest = new Map<string, Remembered>();
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (line === "" || line.startsWith("#")) continue;
    const [, path, what] = /^(.+) (user|new|[0-9a-f]{64})$/.exec(line) ?? [];
    if (path === undefined || what === undefined) {
      throw new Error(`${file}:${index + 1}: not a line of a manifest. Restore the file from git, or remove this line`);
    }
    assertProjectPath(path);
    const known = manifest.get(path);
    // A starter remains the user's.
    if (what === "user" || known === "user") manifest.set(path, "user");
    else if (what === "new" || known === "new") manifest.set(path, "new");
    else manifest.set(path, new Set(known).add(what));
  }
  return manifest;
}

/** Prints a manifest: one line per hash, sorted, so that branches merge line by line. */
export function printManifest(manifest: Manifest, version: string): string {
  const lines = [...manifest].flatMap(([path, what]) =>
    typeof what === "string" ? [`${path} ${what}\n`] : [...what].map((hash) => `${path} ${hash}\n`),
  );
  return `${header}# scaffold ${version}\n${lines.sort(byCodeUnit).join("")}`;
}
