import { expect, it } from "vitest";
import { temporaryProject } from "../testing/project.js";
import { parseManifest, printManifest, type Remembered } from "./manifest.js";
import { applyOutput, planOutput } from "./output.js";
import { hash } from "./text.js";

it("reads what it prints", () => {
  const manifest = new Map<string, Remembered>([
    ["generated/a file.ts", new Set([hash("1")])],
    ["services/a/main.ts", "user"],
  ]);
  expect(parseManifest(printManifest(manifest, "1.0.0"))).toEqual(manifest);
});

it("says where a line is wrong, and what to do", () => {
  const text = printManifest(new Map([["a.ts", new Set([hash("1")])]]), "1.0.0");
  expect(() => parseManifest(`${text}<<<<<<< HEAD\n`, "generated/manifest.txt")).toThrow(
    /^generated\/manifest\.txt:4: .*Restore/,
  );
});

it("merges when two branches generate", async () => {
  const project = temporaryProject();
  const place = { root: project.root, generated: "generated", version: "1.0.0" };
  const attributes = {
    path: "generated/.gitattributes",
    content: "manifest.txt merge=union\n",
    owner: "tool" as const,
  };
  const generate = async (names: Record<string, string>) => {
    const files = Object.entries(names).map(([name, content]) => ({
      path: `generated/${name}.ts`,
      content: `${content}\n`,
      owner: "tool" as const,
    }));
    await applyOutput(place, await planOutput(place, [attributes, ...files]));
  };
  await generate({ a: "1", b: "1" });
  project.commit();
  project.git("checkout", "--quiet", "-b", "side");
  await generate({ a: "side", b: "1", side: "1" });
  project.commit();
  project.git("checkout", "--quiet", "main");
  await generate({ a: "1", b: "main", main: "1" });
  project.commit();
  project.git("merge", "--quiet", "--no-edit", "side");

  const merged = parseManifest(project.read("generated/manifest.txt")!);
  expect([...merged.keys()].sort()).toEqual(
    [".gitattributes", "a.ts", "b.ts", "main.ts", "side.ts"].map((name) => `generated/${name}`),
  );
  await generate({ a: "side", b: "main", side: "1", main: "1" });
  const lines = project.read("generated/manifest.txt")!.trimEnd().split("\n");
  expect(lines).toHaveLength(7);
});
