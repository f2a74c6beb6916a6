import { cp, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { transform } from "esbuild";

const repository = fileURLToPath(new URL("../../", import.meta.url));

/**
 * The tool as a package of npm's has it: every file in JavaScript of its own, nothing bundled, no loader. Answers with the
 * path of its command. What it depends on is found in the repository's node_modules.
 */
export async function buildTool(folder: string): Promise<string> {
  const runtime = join(folder, "node_modules/@protoscaffold/runtime");
  await compile(join(repository, "generator"), join(folder, "dist"));
  await compile(join(repository, "runtime/options"), join(runtime, "dist/options"));
  await cp(join(repository, "generator/bin"), join(folder, "bin"), { recursive: true });
  await cp(join(repository, "generator/templates"), join(folder, "templates"), { recursive: true });
  await cp(join(repository, "proto"), join(folder, "dist/proto"), { recursive: true });
  await cp(join(repository, "generator/package.json"), join(folder, "package.json"));
  await cp(join(repository, "runtime/package.json"), join(runtime, "package.json"));
  return join(folder, "bin/scaffold.js");
}

async function compile(from: string, to: string): Promise<void> {
  const names = await readdir(from, { recursive: true });
  const sources = names.filter(
    (name) => /(?<!\.test|\.d)\.ts$/.test(name) && !/node_modules|testdata|dist\//.test(name),
  );
  for (const name of sources) {
    const { code } = await transform(await readFile(join(from, name), "utf8"), { loader: "ts", target: "node20" });
    const path = join(to, name.replace(/\.ts$/, ".js"));
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, code);
  }
}
