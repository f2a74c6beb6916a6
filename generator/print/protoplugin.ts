import { readFileSync } from "node:fs";
import { createRequire, Module } from "node:module";
import { dirname, join } from "node:path";
import type { FileDescriptorProto } from "@bufbuild/protobuf/wkt";

const require = createRequire(import.meta.url);
const printer = require.resolve("@bufbuild/protoplugin");
const fromPrinter = createRequire(printer);

rememberNames();
embedWithoutComments();

/**
 * The printer and protoc-gen-es, as CommonJS: then both share one copy of each other and of protobuf, and Node need not read
 * through megabytes to learn what they export. The printer would load a TypeScript compiler, with which it makes
 * JavaScript of what was printed; only TypeScript is printed here, so it is given nothing in the compiler's place.
 */
export const { createEcmaScriptPlugin, protocGenEs } = without(compilers(), () => ({
  ...(require("@bufbuild/protoplugin") as typeof import("@bufbuild/protoplugin")),
  ...(require("@bufbuild/protoc-gen-es/dist/cjs/src/protoc-gen-es-plugin.js") as typeof import("@bufbuild/protoc-gen-es/dist/cjs/src/protoc-gen-es-plugin.js")),
}));

/** Has the printer work out the names of a file's declarations once: it does so, for all of them, at every use of one. */
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

/** A file's descriptor is copied whole to be embedded, and its comments, the larger part, left out then: not copied here. */
function embedWithoutComments(): void {
  const path = join(dirname(fromPrinter.resolve("@bufbuild/protobuf/codegenv2")), "embed.js");
  const embed = require(path) as { embedFileDesc(file: FileDescriptorProto): unknown };
  const { embedFileDesc } = embed;
  embed.embedFileDesc = (file) =>
    embedFileDesc(Object.assign(Object.create(Object.getPrototypeOf(file)), file, { sourceCodeInfo: undefined }));
}

/** What the printer loads and is not needed, by path. */
function compilers(): string[] {
  return ["typescript", "@typescript/vfs"].map((name) => fromPrinter.resolve(name));
}

/** Runs `load`, in which requiring one of these modules gives nothing; afterwards it gives the module again. */
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
