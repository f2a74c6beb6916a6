import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/**
 * Bundles programs of an area as services are built, and run: a loader of TypeScript gives every function its name anew
 * when it is made. Answers the folder that they are in, as `<name>.mjs`.
 */
export async function bundlePrograms(area: string, names: readonly string[]): Promise<string> {
  const folder = here(`../.scaffold/bench/${area}`);
  await build({
    entryPoints: names.map((name) => here(`${area}/${name}.ts`)),
    outdir: folder,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    packages: "external",
    format: "esm",
    platform: "node",
    target: "node20",
    logLevel: "warning",
  });
  return folder;
}
