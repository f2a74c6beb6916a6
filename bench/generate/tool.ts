import { cp } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { bundle } from "../../scripts/bundle.js";

const repository = fileURLToPath(new URL("../../", import.meta.url));

/** The tool as its package has it. Answers with the path of its command. What it depends on is found in the repository's node_modules. */
export async function buildTool(folder: string): Promise<string> {
  await bundle(join(folder, "dist"));
  for (const part of ["bin", "package.json"]) {
    await cp(join(repository, "generator", part), join(folder, part), { recursive: true });
  }
  for (const part of ["templates", "proto"]) {
    await cp(join(repository, part), join(folder, "dist", part), { recursive: true });
  }
  return join(folder, "bin/scaffold.js");
}
