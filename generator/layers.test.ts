import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));

/** The sources of both packages, as paths from the root. */
async function sourceFiles(): Promise<string[]> {
  const folders = ["generator", "runtime"].map((folder) =>
    readdir(join(root, folder), { recursive: true }).then((names) => names.map((name) => join(folder, name))),
  );
  return (await Promise.all(folders))
    .flat()
    .filter((name) => name.endsWith(".ts") && !/node_modules|dist|testdata|testing|\.test\.ts$/.test(name));
}

/** Every import of one source file of the project by another, as paths from the root. */
async function imports(files: readonly string[]): Promise<{ from: string; to: string }[]> {
  const found = await Promise.all(
    files.map(async (from) => {
      const text = await readFile(join(root, from), "utf8");
      const specifiers = [...text.matchAll(/(?:from|import\()\s*"([^"]+)"/g)].map(([, specifier = ""]) => specifier);
      return specifiers.flatMap((specifier) => {
        const to = target(specifier, from);
        return to === undefined ? [] : [{ from, to }];
      });
    }),
  );
  return found.flat();
}

function target(specifier: string, from: string): string | undefined {
  if (specifier.startsWith(".")) return relative(root, join(root, dirname(from), specifier)).replace(/\.js$/, "");
  if (specifier.startsWith("@protoscaffold/runtime/"))
    return specifier
      .replace("@protoscaffold/", "")
      .replace("runtime/codegen/options/", "runtime/options/")
      .replace(/\.js$/, "");
  return undefined;
}

const sources = await sourceFiles();
const all = await imports(sources);
const inside = (path: string, ...folders: string[]) =>
  folders.some((folder) => path.startsWith(`${folder}/`) || path === folder);
const offending = (wrong: (edge: { from: string; to: string }) => boolean) =>
  all.filter(wrong).map(({ from, to }) => `${from} -> ${to}`);

test("the runtime knows nothing of the generator", () => {
  expect(offending(({ from, to }) => inside(from, "runtime") && inside(to, "generator"))).toEqual([]);
});

test("the generator takes from the runtime the vocabulary, what commands stand on, and what is named here", () => {
  expect(
    offending(
      ({ from, to }) =>
        inside(from, "generator") && inside(to, "runtime") && !inside(to, "runtime/options", "runtime/codegen/tool"),
    ).sort(),
  ).toEqual([
    "generator/call/messages.ts -> runtime/codec/protojson/read",
    "generator/call/messages.ts -> runtime/codec/protojson/required",
    "generator/cli/main.ts -> runtime/codec/exact-text",
    "generator/contract/services/http.ts -> runtime/gateway/rest/precedence",
    "generator/contract/services/http.ts -> runtime/gateway/rest/reserved",
    "generator/contract/services/http.ts -> runtime/gateway/rest/resolve",
    "generator/contract/services/http.ts -> runtime/gateway/rest/template",
    "generator/dev/load-balancer.ts -> runtime/server/connection-limit",
    "generator/dev/load-balancer.ts -> runtime/server/descriptors",
  ]);
});

/** The folders of each package from the roof to the ground. Each may import what stands after it, and itself. */
const layers = {
  generator: [
    ...["cli", "watch", "generate", "plan", "operate", "call", "scaffold", "check", "print", "emit", "compare"],
    ...["migrate", "evolve", "image", "project", "contract", "rules", "output", "dev", "text"],
  ],
  runtime: [
    ...["codegen", "gateway", "service", "journal", "saga", "events", "server", "client", "connect", "grpc"],
    ...[
      "discovery",
      "identity",
      "data",
      "cache",
      "call",
      "http2",
      "config",
      "errors",
      "spec",
      "options",
      "codec",
      "observe",
    ],
  ],
};
const packages = Object.keys(layers) as (keyof typeof layers)[];

/** Folders that are not sources, and those that are to come. */
const notSources = ["bin", "dist", "node_modules", "testdata", "testing"];
const toCome = ["discovery", "identity"];

function layerOf(path: string): number {
  const [pack = "", layer = "", ...rest] = path.split("/");
  // The runtime's loose files are its faces: they re-export, and stand on all.
  if (pack === "runtime" && rest.length === 0) return -1;
  return layers[pack as keyof typeof layers].indexOf(layer.replace(/\.ts$/, ""));
}

test.each(packages)("every folder of %s is a layer", async (pack) => {
  const entries = await readdir(join(root, pack), { withFileTypes: true });
  const folders = entries.filter((entry) => entry.isDirectory() && !notSources.includes(entry.name));
  const names = folders.map(({ name }) => name);
  expect(names.filter((name) => !layers[pack].includes(name))).toEqual([]);
  const gone = layers[pack].filter((name) => !names.includes(name) && !toCome.includes(name));
  expect(gone.filter((name) => !existsSync(join(root, pack, `${name}.ts`)))).toEqual([]);
});

test.each(packages)("imports of %s point down", (pack) => {
  const up = ({ from, to }: { from: string; to: string }) =>
    inside(from, pack) && inside(to, pack) && layerOf(from) > layerOf(to);
  expect(offending(up)).toEqual([]);
});

test.each(packages)("no files of %s import each other in a circle", (pack) => {
  expect(circles(all.filter(({ from }) => inside(from, pack)))).toEqual([]);
});

/** The folders of data/, in the same way; its loose files stand on all of them. */
const dataLayers = ["migrations", "cache", "rows", "postgres"];

test("imports inside of data point down", () => {
  const layer = (path: string) => dataLayers.indexOf(path.split("/")[2] ?? "");
  const up = ({ from, to }: { from: string; to: string }) =>
    inside(from, "runtime/data") && inside(to, "runtime/data") && layer(from) > layer(to);
  expect(offending(up)).toEqual([]);
});

test.each(packages)("no folder of %s has more than 25 sources on one level", (pack) => {
  const counts = new Map<string, number>();
  for (const file of sources) counts.set(dirname(file), (counts.get(dirname(file)) ?? 0) + 1);
  const large = [...counts].filter(([folder, count]) => inside(folder, pack) && count > 25);
  expect(large).toEqual([]);
});

test("only services and gateways read the environment of the process; the rest of the runtime is given values", async () => {
  const reads = /\bprocess\.env\b|[{,]\s*env\b[^}]*\}\s*=\s*process\b/;
  const reading = await Promise.all(
    sources.map(async (file) => (reads.test(await readFile(join(root, file), "utf8")) ? [file] : [])),
  );
  const roofs = ["runtime/service", "runtime/gateway"];
  expect(roofs.map((roof) => reading.flat().some((file) => inside(file, roof)))).toEqual([true, true]);
  const others = reading.flat().filter((file) => inside(file, "runtime") && !inside(file, ...roofs));
  expect(others).toEqual([]);
});

/** Returns the files that can reach themselves by imports, sorted. */
function circles(edges: readonly { from: string; to: string }[]): string[] {
  const next = new Map<string, Set<string>>();
  for (const { from, to } of edges) {
    const file = from.replace(/\.ts$/, "");
    next.set(file, (next.get(file) ?? new Set()).add(to));
  }
  const reaches = (start: string) => {
    const seen = new Set<string>();
    const waiting = [...(next.get(start) ?? [])];
    for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
      if (file === start) return true;
      if (seen.has(file)) continue;
      seen.add(file);
      waiting.push(...(next.get(file) ?? []));
    }
    return false;
  };
  return [...next.keys()].filter(reaches).sort();
}

test("the command line's own files end the process; nothing else does", async () => {
  const files = (await readdir(join(root, "generator"), { recursive: true })).filter(
    (name) => name.endsWith(".ts") && !/node_modules|dist|testdata|testing|\.test\.ts$/.test(name),
  );
  const ending = await Promise.all(
    files.map(async (name) =>
      (await readFile(join(root, "generator", name), "utf8")).includes("process.exit(") ? [name] : [],
    ),
  );
  expect(
    ending.flat().filter((name) => !name.startsWith("cli/") && !["dev/guard.ts", "dev/run.ts"].includes(name)),
  ).toEqual([]);
});
