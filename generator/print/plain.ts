import { createRequire } from "node:module";

const require = createRequire(import.meta.url);

/** The printer of generated code: protoplugin for the tool's files, protoc-gen-es for messages. */
export interface Printer {
  readonly createEcmaScriptPlugin: typeof import("@bufbuild/protoplugin").createEcmaScriptPlugin;
  readonly protocGenEs: typeof import("@bufbuild/protoc-gen-es/dist/cjs/src/protoc-gen-es-plugin.js").protocGenEs;
}

/**
 * Loads the unmodified printer. It is loaded as CommonJS, so that both packages share one copy of each other and of protobuf,
 * and Node.js need not parse megabytes of modules to find their exports.
 */
export function loadPlainly(): Printer {
  const { createEcmaScriptPlugin } = require("@bufbuild/protoplugin") as typeof import("@bufbuild/protoplugin");
  const { protocGenEs } =
    require("@bufbuild/protoc-gen-es/dist/cjs/src/protoc-gen-es-plugin.js") as typeof import("@bufbuild/protoc-gen-es/dist/cjs/src/protoc-gen-es-plugin.js");
  return { createEcmaScriptPlugin, protocGenEs };
}
