import { type Stats, statSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { basename, join, posix } from "node:path";
import type { Diagnostic } from "../contract/findings/diagnostic.js";
import { absent } from "../output/path.js";
import { filesIn } from "../project/files.js";
import { closest } from "../text/closest.js";
import { type KnownModules, readModules } from "./modules.js";

/** The message of buf for a missing import, without the import's name. */
const unnamed = /^imported file does not exist$/;

/** Adds the name of the import, and how to fix it, to findings about missing imports. */
export async function nameMissingImports(
  root: string,
  findings: readonly Diagnostic[],
): Promise<readonly Diagnostic[]> {
  if (!findings.some(({ message }) => unnamed.test(message))) return findings;
  const known = await readModules(root);
  return Promise.all(findings.map((finding) => named(root, known, finding)));
}

async function named(root: string, known: KnownModules, finding: Diagnostic): Promise<Diagnostic> {
  if (!unnamed.test(finding.message)) return finding;
  const text = (await readFile(join(root, finding.file), "utf8").catch(absent)) ?? "";
  const statement = text
    .split("\n")
    .slice(finding.line - 1)
    .join("\n")
    .slice(finding.column - 1);
  const literal = /^import\s+(?:public\s+|weak\s+|option\s+)?((?:"[^"\n]*"|'[^'\n]*'|\s+)+);/.exec(statement)?.[1];
  if (literal === undefined) return finding;
  const name = literal.replace(/["'\s]/g, "");
  // buf may have read another version of the file, such as that of the branch compared with.
  if (known.modules.some((folder) => isFile(join(root, folder, name)))) return finding;
  return { ...finding, message: `The import "${name}" ${wayOut(root, known, name, finding.file)}` };
}

function wayOut(root: string, { modules, excludes }: KnownModules, name: string, file: string): string {
  const folders = modules.map((folder) => (folder === "." ? "the project's folder" : folder)).join(" or ");
  const normal = posix.normalize(name);
  const inside = modules.find((folder) => normal.startsWith(`${folder}/`) && isFile(join(root, normal)));
  if (inside !== undefined)
    return `does not exist: paths begin in ${inside}, so write "${normal.slice(inside.length + 1)}".`;
  const there = modules.flatMap((folder) =>
    filesIn(root, folder === "." ? "" : folder, (path) => excludes.includes(path))
      .filter(({ path }) => path.endsWith(".proto") && path !== file)
      .map(({ path }) => (folder === "." ? path : path.slice(folder.length + 1))),
  );
  const within = `${normal.replace(/\/$/, "")}/`;
  if (modules.some((folder) => isFolder(join(root, folder, name)))) {
    const [first] = there.filter((path) => path.startsWith(within)).sort();
    return `is a folder, and imports name files: ${first === undefined ? "remove the import" : `write "${first}", or another one in it`}.`;
  }
  const sameName = there.filter((path) => basename(path) === basename(name));
  const meant = sameName.length === 1 ? sameName[0] : closest(name, there);
  const hint = meant === undefined ? "" : ` Did you mean "${meant}"?`;
  return `does not exist in ${folders}, nor in the deps of buf.yaml: add it there, or remove the import.${hint}`;
}

function isFile(path: string): boolean {
  return find(path)?.isFile() ?? false;
}

function isFolder(path: string): boolean {
  return find(path)?.isDirectory() ?? false;
}

function find(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch {
    // An import may be an invalid path, or too long for one.
    return undefined;
  }
}
