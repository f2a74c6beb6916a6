import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join, posix } from "node:path";
import { absent } from "../output/path.js";

/** A buf.yaml and its modules. */
export interface KnownModules {
  readonly text: string;
  readonly modules: readonly string[];
  /** The folders in them that buf excludes. */
  readonly excludes: readonly string[];
}

/** Returns the folders of the modules in buf.yaml, relative to the root. They contain the protos. */
export async function bufModules(root: string): Promise<readonly string[]> {
  return (await readModules(root)).modules;
}

/**
 * Reads buf.yaml.
 *
 * @param known the result of an earlier run, which is used while the text is the same: then no parser is loaded
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

/** Returns a function that converts a file's path in an image to its path in the project. A file of no module keeps its path. */
export function locateIn(root: string, modules: readonly string[]): (path: string) => string {
  return (path) => {
    const module = modules.find((folder) => existsSync(join(root, folder, path)));
    return module === undefined ? path : posix.join(module, path);
  };
}
