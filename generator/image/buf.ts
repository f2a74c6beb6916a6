import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { arch, platform, tmpdir } from "node:os";
import { buffer, text } from "node:stream/consumers";
import type { Diagnostic } from "../contract/findings/diagnostic.js";
import type { Settings } from "../project/settings.js";
import { nameMissingImports } from "./missing-import.js";

/** Returns the findings of `buf lint` with the rules in the project's buf.yaml. */
export async function bufLint({ root }: Settings): Promise<readonly Diagnostic[]> {
  return (await runBuf(root, ["lint", ...asJson])).findings;
}

/** Returns the findings of `buf breaking`. `args` are its options: --against and others. */
export async function bufBreaking({ root }: Settings, args: readonly string[]): Promise<readonly Diagnostic[]> {
  return (await runBuf(root, ["breaking", ...args, ...asJson])).findings;
}

/** A rule of buf. */
export interface BufRule {
  readonly id: string;
  readonly purpose: string;
  readonly kind: "lint" | "breaking";
}

/** Returns all rules of buf, whether buf.yaml selects them or not. Needs no project. */
export async function bufRules(): Promise<readonly BufRule[]> {
  const kinds = await Promise.all(
    (["lint", "breaking"] as const).map(async (kind) => {
      const { stdout } = await runBuf(tmpdir(), ["config", `ls-${kind}-rules`, "--format", "json"]);
      const lines = stdout.toString().trim().split("\n");
      return lines.map((line) => ({ ...(JSON.parse(line) as Pick<BufRule, "id" | "purpose">), kind }));
    }),
  );
  return kinds.flat();
}

/** Selects JSON for findings. */
export const asJson = ["--error-format", "json"];

interface Outcome {
  readonly findings: readonly Diagnostic[];
  readonly stdout: Buffer;
}

/** Runs buf in a folder. Throws an Error if it fails without findings. */
export async function runBuf(root: string, args: readonly string[]): Promise<Outcome> {
  const child = spawn(bufBinary(), args, {
    cwd: root,
    stdio: ["ignore", "pipe", "pipe"],
    // buf ends before garbage collection pays off: less of it makes buf a tenth faster.
    env: { GOGC: "400", ...process.env },
  });
  const exit = new Promise<number | null>((resolve, reject) => child.on("error", reject).on("close", resolve));
  const [code, stdout, stderr] = await Promise.all([exit, buffer(child.stdout), text(child.stderr)]).catch((error) => {
    throw new Error(`buf cannot be started: ${error.message}. ${wayOut}`);
  });
  if (code === 0) return { findings: [], stdout };
  // Findings are on stdout, except those of `buf build`.
  const findings = code === 100 ? [...parseFindings(stdout.toString()), ...parseFindings(stderr)] : [];
  if (findings.length > 0) return { findings: await nameMissingImports(root, findings), stdout };
  throw new Error(`buf ${args[0]}: ${stderr.trim().replace(/^Failure: /, "") || `exit code ${code}`}`);
}

function parseFindings(lines: string): Diagnostic[] {
  return lines.split("\n").flatMap((line) => {
    if (!line.startsWith("{")) return [];
    const found = JSON.parse(line) as {
      path?: string;
      start_line?: number;
      start_column?: number;
      type: string;
      message: string;
    };
    return {
      // A deleted file has no place in the new contract.
      file: found.path?.replaceAll("\\", "/") ?? "buf.yaml",
      line: found.start_line ?? 1,
      column: found.start_column ?? 1,
      rule: found.type,
      message: found.message,
      severity: "error",
    };
  });
}

const wayOut =
  "npm install @bufbuild/buf brings it, unless optional dependencies are left out (--omit=optional) or node_modules " +
  "came from another system. Or name a buf of your own in the environment: BUF=/usr/local/bin/buf";

const packages: Readonly<Record<string, string>> = {
  "darwin arm64": "buf-darwin-arm64",
  "darwin x64": "buf-darwin-x64",
  "linux arm64": "buf-linux-aarch64",
  "linux arm": "buf-linux-armv7",
  "linux x64": "buf-linux-x64",
  "win32 arm64": "buf-win32-arm64",
  "win32 x64": "buf-win32-x64",
};

/** Returns the path of buf's binary, from the package that @bufbuild/buf installs for this system. Its launcher is not used. */
export function bufBinary(
  system: string = `${platform()} ${arch()}`,
  own: string | undefined = process.env.BUF,
): string {
  if (own) return own;
  const name = packages[system];
  if (name === undefined) throw new Error(`buf has no binary for ${system}. ${wayOut}`);
  const file = `@bufbuild/${name}/bin/${system.startsWith("win32") ? "buf.exe" : "buf"}`;
  try {
    // Resolve from @bufbuild/buf: package managers need not install its dependencies beside this package.
    const here = createRequire(import.meta.url);
    return createRequire(here.resolve("@bufbuild/buf/package.json")).resolve(file);
  } catch {
    throw new Error(`buf is missing: there is no ${file}. ${wayOut}`);
  }
}
