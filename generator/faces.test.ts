import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const root = fileURLToPath(new URL("../", import.meta.url));
const packages = { "@protoscaffold/runtime": "runtime", protoscaffold: "generator" };

function exportsOf(folder: string): string[] {
  const manifest = JSON.parse(readFileSync(join(root, folder, "package.json"), "utf8")) as { exports: object };
  return Object.keys(manifest.exports).map((path) => path.slice(2));
}

const faces = exportsOf("runtime").filter((path) => path !== "package.json" && !path.startsWith("codegen/"));

/** Returns the names that a face re-exports, types included, sorted. A face declares nothing itself. */
function namesOf(face: string): string[] {
  const text = readFileSync(join(root, "runtime", `${face}.ts`), "utf8");
  const lists = [...text.matchAll(/^export (?:type )?\{([^}]*)\} from "[^"]+";$/gm)].map(([, names = ""]) => names);
  return lists
    .flatMap((names) => names.split(","))
    .map((name) => name.trim().replace(/^type /, ""))
    .filter((name) => name !== "")
    .sort();
}

test("people import from twelve places at most", () => {
  expect(faces.length).toBeLessThanOrEqual(12);
});

test("each face has the names that it had", async () => {
  const lines = faces.map((face) => `${face}: ${namesOf(face).join(", ")}\n`);
  const files = readdirSync(join(root, "runtime/codegen"), { recursive: true, encoding: "utf8" });
  const kinds = files.filter((name) => name.endsWith(".ts")).sort();
  const text = `${lines.join("")}codegen: ${kinds.join(", ")}\n`;
  await expect(text).toMatchFileSnapshot(join(root, "generator/testdata/faces.txt"));
});

test("the shop, the starters and generated code import what users can import, and nothing else", () => {
  const offending = ["examples", "templates", "generated"].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
      .map((name) => `${folder}/${name}`)
      .filter((path) => /\.(ts|hbs)$/.test(path) && !/\/(node_modules|dist)\//.test(path))
      .flatMap((path) =>
        importsOf(path)
          .filter((specifier) => !isPublic(specifier))
          .map((specifier) => `${path}: ${specifier}`),
      ),
  );
  expect(offending).toEqual([]);
});

/** Returns what a file imports of the packages, by their names or from their folders. */
function importsOf(path: string): string[] {
  const text = readFileSync(join(root, path), "utf8");
  return [...text.matchAll(/(?:from|import\()\s*"([^"]+)"/g)]
    .map(([, specifier = ""]) => (specifier.startsWith(".") ? join(path, "..", specifier) : specifier))
    .filter((specifier) => /^(@protoscaffold\/runtime|protoscaffold|generator|runtime)\//.test(specifier));
}

function isPublic(specifier: string): boolean {
  return Object.entries(packages).some(
    ([name, folder]) =>
      specifier.startsWith(`${name}/`) &&
      exportsOf(folder).some((path) =>
        new RegExp(`^${name}/${path.replaceAll(".", "\\.").replace("*", ".+")}$`).test(specifier),
      ),
  );
}
