import { isNewer } from "./newer.js";
import { assertProjectPath } from "./path.js";
import { byCodeUnit } from "./text.js";

/**
 * What the tool remembers of a path: the hashes of what it wrote there (several only while a run is under way, or after
 * two branches were merged), "user" for a file that it gave away, or "new" for one that it is about to give away.
 */
export type Remembered = ReadonlySet<string> | "user" | "new";

/** What earlier runs wrote, by path. */
export type Manifest = ReadonlyMap<string, Remembered>;

/** The manifest's name, in the folder of generated files. */
export const manifestName = "manifest.txt";

const header = "# What scaffold wrote: path, and the SHA-256 of the text, or whose the file is. Not to be edited.\n";

/** The newest version of the tool that the manifest names; after a merge it may name several. Undefined: none. */
export function writerOf(manifest: string): string | undefined {
  const versions = [...manifest.matchAll(/^# scaffold (\d\S*)\r?$/gm)].map(([, version = ""]) => version);
  return versions.reduce<string | undefined>((a, b) => (a !== undefined && isNewer(a, b) ? a : b), undefined);
}

/** Reads a manifest. Lines may be in any order and say things twice: that is how merge=union leaves them. */
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
    // Once given away, always the user's.
    if (what === "user" || known === "user") manifest.set(path, "user");
    else if (what === "new" || known === "new") manifest.set(path, "new");
    else manifest.set(path, new Set(known).add(what));
  }
  return manifest;
}

/** Writes a manifest: one line a hash, sorted, so that branches merge line by line. */
export function printManifest(manifest: Manifest, version: string): string {
  const lines = [...manifest].flatMap(([path, what]) =>
    typeof what === "string" ? [`${path} ${what}\n`] : [...what].map((hash) => `${path} ${hash}\n`),
  );
  return `${header}# scaffold ${version}\n${lines.sort(byCodeUnit).join("")}`;
}
