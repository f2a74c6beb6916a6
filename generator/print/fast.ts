import { existsSync, readFileSync } from "node:fs";
import { createRequire, Module } from "node:module";
import { dirname, join } from "node:path";
import type { FileDescriptorProto } from "@bufbuild/protobuf/wkt";
import { loadPlainly, type Printer } from "./plain.js";

const require = createRequire(import.meta.url);
const printer = require.resolve("@bufbuild/protoplugin");
const fromPrinter = createRequire(printer);

/**
 * The releases whose internals these shortcuts rely on, as the start of a version. With other releases, code is printed
 * without shortcuts.
 */
const known = { "@bufbuild/protoplugin": "2.13.", "@bufbuild/protoc-gen-es": "2.13.", "@bufbuild/protobuf": "2.13." };

/** Returns whether the installed releases are those that `loadFast` was written for. */
export function isKnown(): boolean {
  return Object.entries(known).every(([name, release]) => versionOf(name).startsWith(release));
}

/**
 * Loads the printer with three shortcuts, which change the time and not the output. The names of a file's declarations are
 * computed once. Comments are removed before a descriptor is copied. The TypeScript compiler, which the printer would use to
 * print JavaScript, is not loaded.
 */
export function loadFast(): Printer {
  rememberNames();
  embedWithoutComments();
  return without(compilers(), loadPlainly);
}

function versionOf(name: string): string {
  const entry =
    name === "@bufbuild/protoc-gen-es" ? require.resolve(`${name}/package.json`) : fromPrinter.resolve(name);
  for (let folder = dirname(entry); folder !== dirname(folder); folder = dirname(folder)) {
    const manifest = join(folder, "package.json");
    if (!existsSync(manifest)) continue;
    const { name: found, version } = JSON.parse(readFileSync(manifest, "utf8")) as { name?: string; version?: string };
    if (found === name) return version ?? "";
  }
  return "";
}

/** Caches the names of a file's declarations, which the printer computes at every use of one. */
function rememberNames(): void {
  const path = join(dirname(printer), "names.js");
  if (require.cache[path] !== undefined) return;
  const source = readFileSync(path, "utf8").replace(
    /^function allNames\(file\) \{$/m,
    `const known = new WeakMap();
function allNames(file) {
    if (!known.has(file)) known.set(file, workOutNames(file));
    return known.get(file);
}
function workOutNames(file) {`,
  );
  const module = new Module(path) as NodeJS.Module & { _compile(source: string, path: string): void };
  module.filename = path;
  module.paths = fromPrinter.resolve.paths("@bufbuild/protobuf") ?? [];
  module._compile(source, path);
  module.loaded = true;
  require.cache[path] = module;
}

/** Removes comments, the larger part of a file's descriptor, before the printer copies and embeds it. */
function embedWithoutComments(): void {
  const path = join(dirname(fromPrinter.resolve("@bufbuild/protobuf/codegenv2")), "embed.js");
  const embed = require(path) as { embedFileDesc(file: FileDescriptorProto): unknown };
  const { embedFileDesc } = embed;
  embed.embedFileDesc = (file) =>
    embedFileDesc(Object.assign(Object.create(Object.getPrototypeOf(file)), file, { sourceCodeInfo: undefined }));
}

/** Modules that the printer loads but does not need, by path. */
function compilers(): string[] {
  return ["typescript", "@typescript/vfs"].map((name) => fromPrinter.resolve(name));
}

/** Runs `load` with empty modules in the place of these, and restores them afterwards. */
function without<T>(paths: readonly string[], load: () => T): T {
  const stubs = paths.filter((path) => require.cache[path] === undefined);
  for (const path of stubs) {
    require.cache[path] = {
      id: path,
      filename: path,
      loaded: true,
      exports: {},
      children: [],
    } as unknown as NodeJS.Module;
  }
  try {
    return load();
  } finally {
    for (const path of stubs) delete require.cache[path];
  }
}
