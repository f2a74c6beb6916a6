import { execFile } from "node:child_process";
import { access, appendFile, writeFile } from "node:fs/promises";
import { promisify } from "node:util";
import type { RunFolder } from "./folder.js";

/**
 * Fills a new database with sample data, once: runs the default export of `program`, `(address: string) => Promise<void>`, in a
 * process of its own, with the system's public address. Returns whether there was anything to do. Rejects if it fails; the next
 * start tries again.
 */
export async function fillSampleData(
  program: string,
  address: string,
  folder: RunFolder,
  signal: AbortSignal,
): Promise<boolean> {
  const exists = (path: string) =>
    access(path).then(
      () => true,
      () => false,
    );
  if (!(await exists(program)) || (await exists(folder.sampled))) return false;
  const run = "const [path, address] = process.argv.slice(1); await (await import(path)).default(address);";
  const log = folder.log("sample");
  try {
    const { stdout, stderr } = await promisify(execFile)(
      process.execPath,
      ["--enable-source-maps", "--input-type=module", "--eval", run, "--", program, address],
      { signal, timeout: 60_000 },
    );
    await writeFile(log, stdout + stderr, { mode: 0o600 });
  } catch (error) {
    const { stdout = "", stderr = "" } = error as { stdout?: string; stderr?: string };
    await writeFile(log, stdout, { mode: 0o600 });
    await appendFile(log, stderr || String(error));
    throw new Error(`the sample data could not be filled in: see ${log}`);
  }
  await writeFile(folder.sampled, "", { mode: 0o600 });
  return true;
}
