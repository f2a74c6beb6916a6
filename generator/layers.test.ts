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
    return specifier.replace("@protoscaffold/", "").replace(/\.js$/, "");
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

test("the generator takes from the runtime only the vocabulary, and what is named here", () => {
  expect(
    offending(
      ({ from, to }) => inside(from, "generator") && inside(to, "runtime") && !inside(to, "runtime/options"),
    ).sort(),
  ).toEqual([
    "generator/call/messages.ts -> runtime/codec/protojson/read",
    "generator/call/messages.ts -> runtime/codec/protojson/required",
    "generator/cli/main.ts -> runtime/codec/exact-text",
    "generator/contract/http.ts -> runtime/gateway/precedence",
    "generator/contract/http.ts -> runtime/gateway/reserved",
    "generator/contract/http.ts -> runtime/gateway/resolve",
    "generator/contract/http.ts -> runtime/gateway/template",
    "generator/dev/load-balancer.ts -> runtime/rpc/connection-limit",
    "generator/dev/load-balancer.ts -> runtime/rpc/descriptors",
    "generator/events/operations.ts -> runtime/events/operate",
    "generator/migrate/runner.ts -> runtime/data/migrate",
    "generator/sagas.ts -> runtime/saga/admin",
    "generator/sagas.ts -> runtime/saga/admin",
  ]);
});

test("nothing but the command line knows the command line", () => {
  expect(offending(({ from, to }) => inside(to, "generator/cli") && !inside(from, "generator/cli"))).toEqual([]);
});

test.each([
  [
    "generator/contract",
    ["generator/contract", "generator/rules", "generator/closest", "runtime/options", "runtime/gateway"],
  ],
  ["generator/compare", ["generator/compare", "generator/contract"]],
  ["generator/rules", ["generator/rules"]],
  ["generator/emit", ["generator/emit", "generator/contract"]],
  ["generator/output", ["generator/output"]],
])("%s looks down, never up", (folder, below) => {
  expect(offending(({ from, to }) => inside(from, folder) && !inside(to, ...below))).toEqual([]);
});

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
