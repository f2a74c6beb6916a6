import { cp } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { bundle } from "../../bundle.js";

const repository = fileURLToPath(new URL("../../", import.meta.url));

/** The tool as its package has it. Answers with the path of its command. What it depends on is found in the repository's node_modules. */
export async function buildTool(folder: string): Promise<string> {
  await bundle(join(folder, "dist"));
  for (const part of ["bin", "templates", "package.json"]) {
    await cp(join(repository, "generator", part), join(folder, part), { recursive: true });
  }
  await cp(join(repository, "proto"), join(folder, "dist/proto"), { recursive: true });
  return join(folder, "bin/scaffold.js");
}
