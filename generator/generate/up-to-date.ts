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

/** The file with the last run's result. Without it the run generates. */
const storedRun = ".scaffold/generated.json";

/** The contents of that file. */
export interface StoredRun {
  /** The tool that wrote it. */
  readonly tool: string;
  /** The digest of the contract's sources. */
  readonly sources: string;
  /** The digest of the other inputs, and of the output. */
  readonly key: string;
  readonly result: GenerateResult;
  readonly modules: KnownModules;
}

/** Returns what the last run of this tool stored, if it left nothing to do. */
export async function lastRun({ root }: Settings): Promise<StoredRun | undefined> {
  const text = await readFile(join(root, storedRun), "utf8").catch(absent);
  const last = text === undefined ? undefined : parse(text);
  return last?.tool === toolDigest() ? last : undefined;
}

/**
 * Returns the last run's result if there is nothing to do: it left nothing to do, and the contract's sources, every file that a
 * run reads, and every generated file have the same contents as then. Modification times are ignored.
 */
export async function upToDate(settings: Settings, last: StoredRun | undefined): Promise<GenerateResult | undefined> {
  if (last === undefined) return undefined;
  const modules = await readModules(settings.root, last.modules);
  // Check these first: they are few, and they change most often.
  if (last.sources !== sourcesDigest(settings.root, modules, bufBinary())) return undefined;
  return last.key === keyOf(settings, generatedOnDisk(settings)) ? last.result : undefined;
}

/** Stores a run's result for the next one, unless that would have something to do or to report. */
export async function keep(settings: Settings, { sources }: Image, result: GenerateResult): Promise<void> {
  const { actions, missing, diagnostics } = result;
  if (actions.some(({ kind }) => kind === "conflict")) return;
  const all: StoredRun = {
    tool: toolDigest(),
    sources,
    // Store the planned contents, not the current ones: a later edit must be noticed.
    key: keyOf(settings, generatedAsWanted(settings, actions)),
    result: { diagnostics, actions: actions.flatMap(settled), missing },
    modules: await readModules(settings.root),
  };
  await writeFile(join(settings.root, storedRun), `${JSON.stringify(all)}\n`, { mode: 0o600 });
}

/** Returns the action that the next run will find, without texts. */
function settled(action: Action): Action[] {
  const { kind, path } = action;
  // A foreign file is reported once.
  if (kind === "delete" || kind === "forget" || kind === "foreign" || path.endsWith(`/${manifestName}`)) return [];
  if (kind === "keep") return [action];
  // A starter is not written again.
  if (kind === "create" && action.owner === "user") return [];
  return [{ kind: "unchanged", path, content: "" }];
}

function parse(text: string): StoredRun | undefined {
  try {
    return JSON.parse(text) as StoredRun;
  } catch {
    return undefined;
  }
}

function keyOf(settings: Settings, generated: string): string {
  const parts = [settings, aroundDigest(settings), generated];
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex");
}

/** Identifies the tool by its version, and by size and time of its files: in a checkout they change without a new version. */
function toolDigest(): string {
  const digest = createHash("sha256").update(version);
  // The package contains its templates.
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

/** Returns the other inputs of a run: the services' sources and migrations, and the project's templates. */
function aroundDigest({ root, services, generated }: Settings): string {
  const digest = createHash("sha256");
  const skip = (path: string) => path === generated || path === `${services}/dist` || isDependency(path);
  const add = (folder: string, wanted: RegExp) => {
    for (const file of filesIn(root, folder, skip)) if (wanted.test(file.path)) addFile(digest, root, file);
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

/** Returns what `generatedOnDisk` returns once these actions are done. */
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
