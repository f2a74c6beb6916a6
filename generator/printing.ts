import { createRequire } from "node:module";
import { dirname, join } from "node:path";

const require = createRequire(import.meta.url);

/**
 * The printer and protoc-gen-es, as CommonJS: then both share one copy of each other and of protobuf, and Node need not read
 * through megabytes to learn what they export. The printer would load a TypeScript compiler, with which it makes
 * JavaScript of what was printed; only TypeScript is printed here, so it is given nothing in the compiler's place.
 */
export const { createEcmaScriptPlugin, protocGenEs } = without(compilers(), () => ({
  ...(require("@bufbuild/protoplugin") as typeof import("@bufbuild/protoplugin")),
  ...(require("@bufbuild/protoc-gen-es/dist/cjs/src/protoc-gen-es-plugin.js") as typeof import("@bufbuild/protoc-gen-es/dist/cjs/src/protoc-gen-es-plugin.js")),
}));

remembering("generatedDescName", "generatedShapeName");

/** Has the printer work out each declaration's name once: it does so, for the whole file, at every use of a name. */
function remembering(...functions: readonly string[]): void {
  const names = require(join(dirname(require.resolve("@bufbuild/protoplugin")), "names.js")) as Record<string, unknown>;
  for (const name of functions) {
    const original = names[name] as ((desc: object) => string) | undefined;
    if (typeof original !== "function") continue;
    const known = new WeakMap<object, string>();
    names[name] = (desc: object) => {
      const found = known.get(desc) ?? original(desc);
      known.set(desc, found);
      return found;
    };
  }
}

/** What the printer loads and is not needed, by path. */
function compilers(): string[] {
  const fromPrinter = createRequire(require.resolve("@bufbuild/protoplugin"));
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
