import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join, posix } from "node:path";
import { absent } from "../output/path.js";

/** A buf.yaml and the modules in it. */
export interface KnownModules {
  readonly text: string;
  readonly modules: readonly string[];
  /** The folders in them that buf leaves out. */
  readonly excludes: readonly string[];
}

/** The folders of the modules that buf.yaml names, relative to the root. They hold the protos. */
export async function bufModules(root: string): Promise<readonly string[]> {
  return (await readModules(root)).modules;
}

/**
 * All that is to be known of them.
 *
 * @param known what an earlier run read: while the text is still the same, no parser need be loaded
 */
export async function readModules(root: string, known?: KnownModules): Promise<KnownModules> {
  const text = await readFile(join(root, "buf.yaml"), "utf8").catch(absent);
  if (text === undefined) {
    throw new Error(
      `${join(root, "buf.yaml")} is missing: it says where the protos are. Two lines will do: version: v2, and ` +
        "modules: [{path: proto}]",
    );
  }
  return text === known?.text ? known : { text, ...(await parseModules(text)) };
}

async function parseModules(text: string): Promise<Omit<KnownModules, "text">> {
  const { parse } = await import("yaml");
  let config: unknown;
  try {
    config = parse(text);
  } catch (error) {
    throw new Error(`buf.yaml: ${(error as Error).message}`);
  }
  const { modules } = (config ?? {}) as { modules?: { path?: string; excludes?: string[] }[] };
  if (!Array.isArray(modules)) return { modules: ["."], excludes: [] };
  return {
    modules: modules.map(({ path }) => posix.normalize(path ?? ".")),
    excludes: modules.flatMap(({ excludes = [] }) => excludes.map((path) => posix.normalize(path))),
  };
}

/** Turns a file's path in an image into its path in the project. A file of none of the modules keeps its path. */
export function locateIn(root: string, modules: readonly string[]): (path: string) => string {
  return (path) => {
    const module = modules.find((folder) => existsSync(join(root, folder, path)));
    return module === undefined ? path : posix.join(module, path);
  };
}
