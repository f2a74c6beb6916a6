import { mkdir, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

/** Prints a page of results, and keeps it in bench/results/. */
export async function writeResults(name: string, text: string): Promise<void> {
  process.stdout.write(text);
  const folder = fileURLToPath(new URL("results", import.meta.url));
  await mkdir(folder, { recursive: true });
  await writeFile(`${folder}/${name}.md`, text);
}
