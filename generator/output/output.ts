import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Action } from "./action.js";
import { apply as carryOut, remember } from "./apply.js";
import { cleanInGit } from "./git.js";
import { manifestName, parseManifest, printManifest, writerOf } from "./manifest.js";
import { isNewer } from "./newer.js";
import type { OutputFile } from "./output-file.js";
import { absent, assertReachable } from "./path.js";
import type { OutputPlace } from "./place.js";
import { contested, type ReconcileOptions, reconcile } from "./reconcile.js";
import { snapshot } from "./snapshot.js";
import { lf } from "./text.js";

export type OutputOptions = Omit<ReconcileOptions, "clean">;

/** Returns the actions of a run, the manifest's own included. Writes nothing. */
export async function planOutput(
  place: OutputPlace,
  wanted: readonly OutputFile[],
  options: OutputOptions = {},
): Promise<Action[]> {
  const { root, generated, version } = place;
  const manifestPath = `${generated}/${manifestName}`;
  const text = await readText(place);
  const writer = writerOf(text ?? "");
  // Files of a newer tool may have another format, and so may the manifest.
  if (writer !== undefined && isNewer(writer, version) && !options.forced?.(manifestPath)) {
    const message =
      `written by scaffold ${writer}, and this is ${version}. Install what the project asks for (npm install), or go ` +
      `back to ${version} with --force ${manifestPath}`;
    return [{ kind: "conflict", path: manifestPath, content: undefined, before: undefined, message }];
  }
  const manifest = parseManifest(text ?? "", manifestPath);
  const disk = new Map(snapshot(root, generated, [...wanted.map(({ path }) => path), ...manifest.keys()]));
  disk.delete(manifestPath);
  const clean = await cleanInGit(root, contested(wanted, disk, manifest));
  const actions = reconcile(wanted, disk, manifest, { ...options, clean });

  const content = printManifest(remember(manifest, actions), version);
  if (text === undefined) return [...actions, { kind: "create", path: manifestPath, owner: "tool", content }];
  if (lf(text) === content) return actions;
  return [...actions, { kind: "update", path: manifestPath, content, before: text }];
}

/** Executes the actions that `planOutput` returned. */
export async function applyOutput(place: OutputPlace, actions: readonly Action[]): Promise<void> {
  const manifest = parseManifest((await readText(place)) ?? "", `${place.generated}/${manifestName}`);
  carryOut(place, manifest, actions);
}

async function readText({ root, generated }: OutputPlace): Promise<string | undefined> {
  const path = `${generated}/${manifestName}`;
  assertReachable(root, path);
  return readFile(join(root, path), "utf8").catch(absent);
}
