import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join, posix } from "node:path";
import { absent } from "./output/path.js";

/** The folders of the modules that buf.yaml names, relative to the root. They hold the protos. */
export async function bufModules(root: string): Promise<readonly string[]> {
  const text = await readFile(join(root, "buf.yaml"), "utf8").catch(absent);
  if (text === undefined) {
    throw new Error(
      `${join(root, "buf.yaml")} is missing: it says where the protos are. Two lines will do: version: v2, and ` +
        "modules: [{path: proto}]",
    );
  }
  const { parse } = await import("yaml");
  let config: unknown;
  try {
    config = parse(text);
  } catch (error) {
    throw new Error(`buf.yaml: ${(error as Error).message}`);
  }
  const { modules } = (config ?? {}) as { modules?: { path?: string }[] };
  return Array.isArray(modules) ? modules.map(({ path }) => posix.normalize(path ?? ".")) : ["."];
}

/** Turns a file's path in an image into its path in the project. A file of none of the modules keeps its path. */
export function locateIn(root: string, modules: readonly string[]): (path: string) => string {
  return (path) => {
    const module = modules.find((folder) => existsSync(join(root, folder, path)));
    return module === undefined ? path : posix.join(module, path);
  };
}
