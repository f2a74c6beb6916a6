import { mkdir, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join, relative, sep } from "node:path";
import type { BuildOptions, Message, Plugin } from "esbuild";
import type { Settings } from "./settings.js";

/** Thrown for code that cannot be bundled, for example because of an import that does not exist. */
export class BuildError extends Error {}

/**
 * Bundles every service into one file that Node runs: `<services>/<name>/main.ts` becomes `<services>/dist/<name>/main.js`,
 * with its migrations beside it, and the gateway's page into `dist/gateway/web/`. The project's own code is in the bundle,
 * packages from npm are not. If anything fails, the last build stays. Throws a BuildError that lists all faults.
 *
 * @param dist another output folder, inside the project, so that the programs find their packages
 * @returns the names of folders and files in `dist` that changed, except source maps
 */
export async function build(
  settings: Settings,
  dist = join(settings.root, settings.services, "dist"),
): Promise<ReadonlySet<string>> {
  const services = join(settings.root, settings.services);
  const folders = await foldersIn(services);
  const programs = await existing(folders.map((name) => [`${name}/main`, join(services, name, "main.ts")]));
  const samples = await existing([["sample", join(services, "sample.ts")]]);
  const web = join(services, "gateway", "web");
  const pages = await existing([["gateway/web/main", join(web, "main.ts")]]);

  const esbuild = await import("esbuild");
  const shared: BuildOptions = {
    absWorkingDir: settings.root,
    bundle: true,
    outdir: dist,
    write: false,
    logLevel: "silent",
  };
  const forNode: BuildOptions = {
    ...shared,
    entryPoints: { ...programs, ...samples },
    format: "esm",
    platform: "node",
    target: "node20",
    sourcemap: true,
    plugins: [externalPackages],
  };
  const forBrowsers: BuildOptions = {
    ...shared,
    entryPoints: pages,
    format: "esm",
    platform: "browser",
    target: "es2022",
    sourcemap: true,
    minify: true,
  };
  const results = await Promise.allSettled([
    esbuild.build(forNode),
    ...(empty(pages) ? [] : [esbuild.build(forBrowsers)]),
  ]);
  // It would remain as a separate process.
  await esbuild.stop();
  const errors = results.flatMap((result) => (result.status === "rejected" ? faults(result.reason, settings) : []));
  if (errors.length > 0) throw new BuildError(`the services do not build:\n${errors.join("\n")}`);

  const files = new Map<string, Uint8Array>();
  for (const result of results) {
    if (result.status !== "fulfilled") continue;
    for (const { path, contents } of result.value.outputFiles ?? []) files.set(relative(dist, path), contents);
  }
  for (const name of folders) {
    await collect(join(services, name, "migrations"), join(name, "migrations"), (path) => path.endsWith(".sql"), files);
  }
  await collect(web, join("gateway", "web"), (path) => !/\.tsx?$/.test(path), files);
  // The bundles are ES modules, whatever the project's package.json says.
  files.set("package.json", Buffer.from('{ "type": "module" }\n'));
  return replaceContents(dist, files);
}

/**
 * Excludes npm packages from the bundle: they are installed where the services run, some are not JavaScript, and packages that
 * keep state must exist once. Workspaces are links in node_modules and are bundled: their real paths are elsewhere.
 */
const externalPackages: Plugin = {
  name: "external-packages",
  setup(build) {
    const asked = Symbol();
    build.onResolve({ filter: /^[^./]/ }, async ({ path, pluginData, ...rest }) => {
      if (pluginData === asked || path.startsWith("node:")) return undefined;
      const { importer, namespace, resolveDir, kind, with: attributes } = rest;
      const resolved = await build.resolve(path, {
        importer,
        namespace,
        resolveDir,
        kind,
        with: attributes,
        pluginData: asked,
      });
      if (resolved.errors.length > 0 || resolved.external) return resolved;
      return resolved.path.includes(`${sep}node_modules${sep}`) ? { path, external: true } : resolved;
    });
  },
};

async function foldersIn(services: string): Promise<string[]> {
  const entries = await readdir(services, { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
    throw new BuildError(`${services} does not exist. scaffold new-service writes the first service`);
  });
  const folders = entries.filter((entry) => entry.isDirectory() && !["dist", "node_modules"].includes(entry.name));
  return folders.map(({ name }) => name).sort();
}

async function existing(entries: readonly (readonly [string, string])[]): Promise<Record<string, string>> {
  const found = await Promise.all(entries.map(([, path]) => exists(path)));
  return Object.fromEntries(entries.filter((_, index) => found[index]));
}

/** Adds the files of a folder under another name, recursively. */
async function collect(
  from: string,
  to: string,
  wanted: (path: string) => boolean,
  files: Map<string, Uint8Array>,
): Promise<void> {
  for (const path of await filesIn(from)) {
    if (wanted(path)) files.set(join(to, path), await readFile(join(from, path)));
  }
}

/**
 * Makes a folder contain exactly these files. Returns the first parts of the paths that changed. Throws if the folder is not
 * empty and was not created by this function.
 */
async function replaceContents(dist: string, files: ReadonlyMap<string, Uint8Array>): Promise<Set<string>> {
  const changed = new Set<string>();
  const touch = (path: string) => path.endsWith(".map") || changed.add(path.split(sep)[0]!);
  const there = await filesIn(dist);
  if (there.length > 0 && !there.includes("package.json")) {
    throw new BuildError(`${dist} holds ${there[0]}, which was not built: it would be deleted. Move it elsewhere`);
  }
  for (const path of there) {
    if (files.has(path)) continue;
    await rm(join(dist, path));
    touch(path);
  }
  for (const [path, contents] of files) {
    const place = join(dist, path);
    const there = await readFile(place).catch(() => undefined);
    if (there?.equals(contents)) continue;
    await mkdir(dirname(place), { recursive: true });
    await writeFile(place, contents);
    touch(path);
  }
  return changed;
}

/** Returns the files in a folder, recursively, or none if it does not exist. */
async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)));
}

/** Formats an error as `file:line:column: message`. */
function faults(reason: unknown, { root }: Settings): string[] {
  const { errors } = reason as { errors?: readonly Message[] };
  if (errors === undefined) return [String(reason)];
  return errors.map(({ location, text }) => {
    if (location === null) return `  ${text}`;
    return `  ${relative(root, join(root, location.file))}:${location.line}:${location.column + 1}: ${text}`;
  });
}

function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

function empty(record: object): boolean {
  return Object.keys(record).length === 0;
}
