import { readdir, readFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));

/** Every import of one source file of the project by another, as paths from the root. */
async function imports(): Promise<{ from: string; to: string }[]> {
  const folders = ["generator", "runtime"].map((folder) =>
    readdir(join(root, folder), { recursive: true }).then((names) => names.map((name) => join(folder, name))),
  );
  const files = (await Promise.all(folders))
    .flat()
    .filter((name) => name.endsWith(".ts") && !/node_modules|dist|testdata|testing|\.test\.ts$/.test(name));
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

const all = await imports();
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
    "generator/contract/http.ts -> runtime/gateway/rest/precedence",
    "generator/contract/http.ts -> runtime/gateway/rest/reserved",
    "generator/contract/http.ts -> runtime/gateway/rest/resolve",
    "generator/contract/http.ts -> runtime/gateway/rest/template",
    "generator/dev/load-balancer.ts -> runtime/server/connection-limit",
    "generator/dev/load-balancer.ts -> runtime/server/descriptors",
  ]);
});

/** The tool's folders and loose files, from the roof to the ground. Each may import what stands after it. */
const layers = [
  "cli",
  "watch",
  "generate",
  "plan",
  "operate",
  "call",
  "scaffold",
  "check",
  "print",
  "emit",
  "compare",
  "migrate",
  "evolve",
  "image",
  "project",
  "contract",
  "rules",
  "output",
  "dev",
  "text",
];

function layerOf(path: string): number {
  const [, layer = ""] = path.split("/");
  return layers.indexOf(layer.replace(/\.ts$/, ""));
}

test("every folder of the tool is a layer", async () => {
  const entries = await readdir(join(root, "generator"), { withFileTypes: true });
  const notSources = ["bin", "dist", "node_modules", "testdata", "testing"];
  const folders = entries.filter((entry) => entry.isDirectory() && !notSources.includes(entry.name));
  expect(folders.map(({ name }) => name).filter((name) => !layers.includes(name))).toEqual([]);
});

test("the tool's imports point down", () => {
  const up = ({ from, to }: { from: string; to: string }) =>
    inside(from, "generator") && inside(to, "generator") && layerOf(from) > layerOf(to);
  expect(offending(up)).toEqual([]);
});

test("no files of the tool import each other in a circle", () => {
  expect(circles(all.filter(({ from }) => inside(from, "generator")))).toEqual([]);
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
