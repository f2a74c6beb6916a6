// The tool as its package has it: few files of JavaScript, so that a command does not wait for hundreds to be found and read.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));

/** What is run or imported from outside, by the file that it becomes. */
const entryPoints = {
  main: "cli/main.ts",
  guard: "dev/guard.ts",
  "print/message-thread": "print/message-thread.ts",
  database: "testing/database.ts",
  setup: "testing/setup.ts",
  system: "testing/system.ts",
};

/** Packages that every command needs, or nearly: they come in, and so does yaml. All others are found where npm puts them. */
const inside = /^(yargs|@bufbuild\/protobuf)(\/|$)/;

/** What of the runtime comes in, if not all: the vocabulary, and every module in a folder that its package does not export. */
const runtime = /^@protoscaffold\/runtime\/((?:codegen\/options|(?!codegen)[^/]+)\/.*?)(?:\.js)?$/;

/** All of the runtime, where its package has not been built. */
const wholeRuntime = /^@protoscaffold\/runtime\/(.*?)(?:\.js)?$/;

/**
 * Bundles generator/ into a folder, with the licences of what comes in. What is loaded late stays in files of its own. `alone`:
 * with all of the runtime inside. `programs`: further ones to run, by the file that each becomes.
 */
export async function bundle(outdir, { alone = false, programs = {} } = {}) {
  const { metafile } = await build({
    absWorkingDir: here("generator"),
    entryPoints: { ...entryPoints, ...programs },
    outdir,
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node20",
    chunkNames: "[name]-[hash]",
    metafile: true,
    logLevel: "warning",
    plugins: [places, packages(alone ? wholeRuntime : runtime)],
  });
  writeFileSync(join(outdir, "LICENSES.txt"), licences(Object.keys(metafile.inputs)));
}

/** Files are found from where their source was, not from the bundle that it is in now: `dist/cli/main.js`, not `dist/main.js`. */
const places = {
  name: "places",
  setup({ onLoad }) {
    onLoad({ filter: /\.ts$/ }, ({ path }) => {
      const place = `./${relative(here("generator"), path).replaceAll("\\", "/").replace(/\.ts$/, ".js")}`;
      const contents = readFileSync(path, "utf8").replaceAll(
        "import.meta.url",
        `new URL(${JSON.stringify(place)}, import.meta.url).href`,
      );
      return { contents, loader: "ts" };
    });
  },
};

const packages = (runtime) => ({
  name: "packages",
  setup({ onResolve }) {
    onResolve({ filter: /^[^./]/ }, ({ path, importer, kind }) => {
      if (kind === "entry-point" || importer.includes("node_modules")) return undefined;
      // Descriptors must be of the protobuf that is inside.
      const [, file] = runtime.exec(path) ?? [];
      if (file !== undefined) return { path: here(`runtime/${file.replace(/^codegen\/options\//, "options/")}.ts`) };
      // What it has for browsers is modules; what it has for Node is CommonJS, which cannot come in.
      if (path === "yaml") return { path: here("node_modules/yaml/browser/index.js") };
      return inside.test(path) ? undefined : { path, external: true };
    });
  },
});

function licences(inputs) {
  const folders = new Set(inputs.flatMap((path) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0] ?? []));
  const texts = [...folders].sort().map((folder) => {
    const place = join(here("generator"), folder);
    const { name, version, license } = JSON.parse(readFileSync(join(place, "package.json"), "utf8"));
    // Under Apache's, which is ours too, some bring no text of their own.
    const file = readdirSync(place).find((each) => /^licen[cs]e/i.test(each));
    const text = file === undefined ? "" : `\n${readFileSync(join(place, file), "utf8").trim()}\n`;
    return `${name} ${version}, ${license}\n${text}`;
  });
  return texts.join(`\n${"-".repeat(80)}\n\n`);
}
