import { execFile } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Downloads an npm package, "name@1.2.3", into `folder`, and unpacks what is at `paths` in it. Returns its root. */
export async function npmPackage(name: string, folder: string, paths: readonly string[]): Promise<string> {
  const { stdout } = await client(name, "npm", ["pack", name, "--json", "--pack-destination", folder]);
  const [packed] = Object.values(JSON.parse(stdout) as Record<string, { filename: string }>);
  const root = join(folder, "npm");
  await mkdir(root, { recursive: true });
  const members = paths.map((path) => `package/${path}`);
  await run("tar", ["-xzf", join(folder, packed?.filename ?? ""), "-C", root, ...members]);
  return join(root, "package");
}

/** Downloads a Go module, "path@v1.2.3", into a module cache in `folder`. Returns its root. */
export async function goModule(name: string, folder: string): Promise<string> {
  // Left writable, so that it can be removed.
  const env = { ...process.env, GOMODCACHE: join(folder, "go"), GOFLAGS: "-modcacherw", GOWORK: "off" };
  const { stdout } = await client(name, "go", ["mod", "download", "-json", name], { env, cwd: folder });
  return (JSON.parse(stdout) as { Dir: string }).Dir;
}

async function client(what: string, command: string, args: string[], options: object = {}) {
  try {
    return await run(command, args, { maxBuffer: 2 ** 26, ...options, encoding: "utf8" });
  } catch (error) {
    const { message, stderr, stdout } = error as Error & { stderr?: string; stdout?: string };
    const said = [stderr, stdout].filter(Boolean).join("\n").trim() || message;
    throw new Error(`${what} was not downloaded: this test needs the network, and ${command} installed.\n${said}`);
  }
}
