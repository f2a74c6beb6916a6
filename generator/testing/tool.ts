import { createHash } from "node:crypto";
import { existsSync, readdirSync, statSync } from "node:fs";
import { cp, mkdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { BundleOptions } from "../../scripts/bundle.js";

const repository = fileURLToPath(new URL("../../", import.meta.url));
/** What tests start beside the command, by name. */
const programs = {
  "apply-output": "testing/apply-output.ts",
  "run-fixture": "dev/testing/run-fixture.ts",
};
const DAY = 24 * 60 * 60 * 1000;

/**
 * The path of the tool's command, as its package has it, or of another program, built from the sources as they are now. It
 * starts in half the time that the sources take. All is built once, by whichever process asks first after a change.
 */
export async function builtTool(program?: keyof typeof programs): Promise<string> {
  // Inside the repository, so that node_modules is found.
  const place = join(repository, ".scaffold/tool");
  const folder = join(place, sourcesDigest());
  if (!existsSync(folder)) {
    await mkdir(place, { recursive: true });
    const old = readdirSync(place).filter((name) => Date.now() - statSync(join(place, name)).mtimeMs > DAY);
    for (const name of old) await rm(join(place, name), { recursive: true, force: true });
    const half = `${folder}.${process.pid}`;
    await buildTool(half, { alone: true, programs });
    // Another process may have been faster.
    await rename(half, folder).catch(() => rm(half, { recursive: true, force: true }));
  }
  return join(folder, program === undefined ? "bin/scaffold.js" : `dist/${program}.js`);
}

/** Builds the tool as its package has it into a folder inside the repository. Answers with the path of its command. */
export async function buildTool(folder: string, options?: BundleOptions): Promise<string> {
  const { bundle } = await import("../../scripts/bundle.js");
  await bundle(join(folder, "dist"), options);
  for (const part of ["bin", "package.json"]) {
    await cp(join(repository, "generator", part), join(folder, part), { recursive: true });
  }
  for (const part of ["templates", "proto"]) {
    await cp(join(repository, part), join(folder, "dist", part), { recursive: true });
  }
  return join(folder, "bin/scaffold.js");
}

/** What the tool is made of, by size and time. */
function sourcesDigest(): string {
  const digest = createHash("sha256");
  const add = (path: string) => {
    const { size, mtimeMs } = statSync(join(repository, path));
    digest.update(`${path} ${size} ${mtimeMs}\n`);
  };
  const addFolder = (folder: string) => {
    for (const entry of readdirSync(join(repository, folder), { withFileTypes: true })) {
      const path = `${folder}/${entry.name}`;
      if (!entry.isDirectory()) {
        if (/(?<!\.test)\.(ts|js|json|hbs|proto)$/.test(path)) add(path);
      } else if (!/^(node_modules|dist|testdata)$/.test(entry.name)) addFolder(path);
    }
  };
  for (const folder of ["generator", "runtime", "templates", "proto", "scripts"]) addFolder(folder);
  add("package-lock.json");
  return digest.digest("hex").slice(0, 16);
}
