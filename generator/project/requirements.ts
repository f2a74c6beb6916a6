import { createRequire } from "node:module";
import { byCodeUnit } from "../output/text.js";

const library = createRequire(import.meta.url)("@protoscaffold/runtime/package.json") as {
  version: string;
  peerDependencies: Record<string, string>;
  peerDependenciesMeta?: Record<string, { optional?: boolean }>;
};

const isOptional = (name: string) => library.peerDependenciesMeta?.[name]?.optional === true;

/**
 * Returns the packages that generated code and services import, with their versions: the runtime library and its peers, without
 * the optional ones. Each must be installed once, or two halves of a program do not recognize each other's objects.
 */
export const requirements: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries({ ...library.peerDependencies, "@protoscaffold/runtime": `~${library.version}` })
    .filter(([name]) => !isOptional(name))
    .sort(([a], [b]) => byCodeUnit(a, b)),
);
