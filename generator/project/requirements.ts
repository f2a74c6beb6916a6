import { createRequire } from "node:module";
import { byCodeUnit } from "../output/text.js";

const library = createRequire(import.meta.url)("@protoscaffold/runtime/package.json") as {
  version: string;
  peerDependencies: Record<string, string>;
  peerDependenciesMeta?: Record<string, { optional?: boolean }>;
};

const isOptional = (name: string) => library.peerDependenciesMeta?.[name]?.optional === true;

/**
 * The packages that generated code and services import, and in which versions: the runtime library, and what it shares
 * with them, less what it can do without. Each of these must be there once, or two halves of a program do not recognise each other's objects.
 */
export const requirements: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries({ ...library.peerDependencies, "@protoscaffold/runtime": `~${library.version}` })
    .filter(([name]) => !isOptional(name))
    .sort(([a], [b]) => byCodeUnit(a, b)),
);
