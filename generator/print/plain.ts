import { createRequire } from "node:module";

const require = createRequire(import.meta.url);

/** What prints generated code: protoplugin for our own files, protoc-gen-es for messages. */
export interface Printer {
  readonly createEcmaScriptPlugin: typeof import("@bufbuild/protoplugin").createEcmaScriptPlugin;
  readonly protocGenEs: typeof import("@bufbuild/protoc-gen-es/dist/cjs/src/protoc-gen-es-plugin.js").protocGenEs;
}

/**
 * Loads the printer as it was published. As CommonJS, so that both packages share one copy of each other and of protobuf,
 * and Node need not read through megabytes of modules to learn what they export.
 */
export function loadPlainly(): Printer {
  const { createEcmaScriptPlugin } = require("@bufbuild/protoplugin") as typeof import("@bufbuild/protoplugin");
  const { protocGenEs } =
    require("@bufbuild/protoc-gen-es/dist/cjs/src/protoc-gen-es-plugin.js") as typeof import("@bufbuild/protoc-gen-es/dist/cjs/src/protoc-gen-es-plugin.js");
  return { createEcmaScriptPlugin, protocGenEs };
}
