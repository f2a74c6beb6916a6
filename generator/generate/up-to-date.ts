import { createHash } from "node:crypto";
import { lstatSync, readFileSync, statSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { bufBinary } from "../image/buf.js";
import type { Image } from "../image/compile.js";
import { type KnownModules, readModules } from "../image/modules.js";
import { sourcesDigest } from "../image/sources.js";
import type { Action } from "../output/action.js";
import { remember } from "../output/apply.js";
import { manifestName, parseManifest, printManifest } from "../output/manifest.js";
import { absent } from "../output/path.js";
import { byCodeUnit, hash } from "../output/text.js";
import { addFile, filesIn, isDependency } from "../project/files.js";
import type { Settings } from "../project/settings.js";
import { version } from "../project/version.js";
import type { GenerateResult } from "./result.js";

/** Where the last run's answer is kept. Without it, everything is worked out. */
const kept = ".scaffold/generated.json";

/** What is kept there. */
export interface Kept {
  /** The tool that kept it. */
  readonly tool: string;
  /** What the contract was compiled from. */
  readonly sources: string;
  /** What else was read, and what was written. */
  readonly key: string;
  readonly result: GenerateResult;
  readonly modules: KnownModules;
}

/** What the last run of this very tool kept, if it left nothing to do. */
export async function lastRun({ root }: Settings): Promise<Kept | undefined> {
  const text = await readFile(join(root, kept), "utf8").catch(absent);
  const last = text === undefined ? undefined : parse(text);
  return last?.tool === toolDigest() ? last : undefined;
}

/**
 * The last run's answer, if there is nothing to do: it ended with nothing left to do, and the contract's sources, every file
 * that a run reads, and every generated file are what they were then, by content. Times of files count for
 * nothing.
 */
export async function upToDate(settings: Settings, last: Kept | undefined): Promise<GenerateResult | undefined> {
  if (last === undefined) return undefined;
  const modules = await readModules(settings.root, last.modules);
  // First: they are few, and what changes most often.
  if (last.sources !== sourcesDigest(settings.root, modules, bufBinary())) return undefined;
  return last.key === keyOf(settings, generatedOnDisk(settings)) ? last.result : undefined;
}

/** Keeps a run's answer for the next one, unless that would have something to do or to say. */
export async function keep(settings: Settings, { sources }: Image, result: GenerateResult): Promise<void> {
  const { actions, missing, diagnostics } = result;
  if (actions.some(({ kind }) => kind === "conflict")) return;
  const all: Kept = {
    tool: toolDigest(),
    sources,
    // What the files are to be, not what they are by now: an edit since must be seen.
    key: keyOf(settings, generatedAsWanted(settings, actions)),
    result: { diagnostics, actions: actions.flatMap(settled), missing },
    modules: await readModules(settings.root),
  };
  await writeFile(join(settings.root, kept), `${JSON.stringify(all)}\n`, { mode: 0o600 });
}

/** What the next run will find of an action; texts are left out. */
function settled(action: Action): Action[] {
  const { kind, path } = action;
  // A file that is not the tool's is spoken of once.
  if (kind === "delete" || kind === "forget" || kind === "foreign" || path.endsWith(`/${manifestName}`)) return [];
  if (kind === "keep") return [action];
  // What was given away is not asked for again.
  if (kind === "create" && action.owner === "user") return [];
  return [{ kind: "unchanged", path, content: "" }];
}

function parse(text: string): Kept | undefined {
  try {
    return JSON.parse(text) as Kept;
  } catch {
    return undefined;
  }
}

function keyOf(settings: Settings, generated: string): string {
  const parts = [settings, aroundDigest(settings), generated];
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex");
}

/** The tool by its version, and its own files by size and time: in a checkout they change without it. */
function toolDigest(): string {
  const digest = createHash("sha256").update(version);
  // The package has its templates among its code.
  for (const place of import.meta.url.endsWith(".ts") ? ["../", "../../templates/"] : ["../"]) {
    const own = fileURLToPath(new URL(place, import.meta.url));
    for (const { path } of filesIn(own, "")) {
      if (!/(?<!\.test)\.[jt]s$|\.hbs$/.test(path)) continue;
      const { size, mtimeMs } = statSync(join(own, path));
      digest.update(`${path} ${size} ${mtimeMs}\n`);
    }
  }
  return digest.digest("hex");
}

/** What a run reads beside the contract: the services' sources and migrations, the project's templates. */
function aroundDigest({ root, services, generated }: Settings): string {
  const digest = createHash("sha256");
  const aside = (path: string) => path === generated || path === `${services}/dist` || isDependency(path);
  const add = (folder: string, wanted: RegExp) => {
    for (const file of filesIn(root, folder, aside)) if (wanted.test(file.path)) addFile(digest, root, file);
  };
  add(services, /\.([cm]?[jt]sx?|sql|json)$/);
  add("templates", /\.hbs$/);
  return digest.digest("hex");
}

function generatedOnDisk({ root, generated }: Settings): string {
  const digest = createHash("sha256");
  for (const file of filesIn(root, generated)) addFile(digest, root, file);
  return digest.digest("hex");
}

/** As `generatedOnDisk`, when everything is on disk as these actions want it. */
function generatedAsWanted({ root, generated }: Settings, actions: readonly Action[]): string {
  const manifestPath = `${generated}/${manifestName}`;
  const manifest = parseManifest(readFileSync(join(root, manifestPath), "utf8"), manifestPath);
  const files = actions.filter(({ path }) => path !== manifestPath);
  const texts = new Map([[manifestPath, printManifest(remember(manifest, files), version)]]);
  for (const action of files) {
    if (action.kind !== "create" && action.kind !== "update" && action.kind !== "unchanged") continue;
    if (action.path.startsWith(`${generated}/`)) texts.set(action.path, action.content);
  }
  const foreign = new Set(files.filter(({ kind }) => kind === "foreign").map(({ path }) => path));
  const digest = createHash("sha256");
  for (const path of [...texts.keys(), ...foreign].sort(byCodeUnit)) {
    if (foreign.has(path)) addFile(digest, root, { path, isPlain: lstatSync(join(root, path)).isFile() });
    else digest.update(`${path} ${hash(texts.get(path)!)}\n`);
  }
  return digest.digest("hex");
}
