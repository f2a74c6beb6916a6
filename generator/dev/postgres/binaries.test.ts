import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, unlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { findBinaries, locateBinaries } from "./binaries.js";

const nobody = { uid: 65534, gid: 65534 };

/** The package in a folder that only its owner may pass, with the links that its install script makes or without. */
function installedClosed({ links }: { links: boolean }): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "scaffold-binaries-")));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const installed = join(folder, "linux");
  cpSync(locateBinaries(), installed, { recursive: true, verbatimSymlinks: true });
  if (links) return installed;
  const lib = join(installed, "native", "lib");
  for (const entry of readdirSync(lib, { withFileTypes: true })) {
    if (entry.isSymbolicLink()) unlinkSync(join(lib, entry.name));
  }
  return installed;
}

function versionOf(bin: string, as: object = {}): string {
  return execFileSync(join(bin, "postgres"), ["--version"], { encoding: "utf8", cwd: "/", ...as });
}

test("makes the links that an install script would have made", async () => {
  const installed = installedClosed({ links: false });
  const { bin, version } = await findBinaries(undefined, "/nowhere", { installed });
  expect(bin).toBe(join(installed, "native", "bin"));
  expect(versionOf(bin)).toContain(version.split("-")[0]!.replace(/\.0$/, ""));
});

test.runIf(process.getuid?.() === 0)("copies what its user cannot get to, once", async () => {
  const name = `protoscaffold-test-${process.pid}`;
  const shared = join("/var/tmp", name);
  onTestFinished(() => rmSync(shared, { recursive: true }));
  await findBinaries(undefined, "/nowhere");
  const installed = installedClosed({ links: true });
  const { bin } = await findBinaries(nobody, "/nowhere", { installed, shared: name });
  expect(bin.startsWith(shared)).toBe(true);
  const library = realpathSync(join(bin, "..", "lib", "libicuuc.so.60"));
  expect(library.startsWith(shared)).toBe(true);
  expect(versionOf(bin, nobody)).toContain("PostgreSQL");
  rmSync(join(installed, "native", "bin"), { recursive: true });
  mkdirSync(join(installed, "native", "bin"));
  expect(await findBinaries(nobody, "/nowhere", { installed, shared: name })).toMatchObject({ bin });
  expect(readdirSync(shared).filter((name) => name.includes("part"))).toEqual([]);
});
