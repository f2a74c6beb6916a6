import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { arch, platform, tmpdir } from "node:os";
import { buffer, text } from "node:stream/consumers";
import type { Diagnostic } from "./contract/diagnostic.js";
import { nameMissingImports } from "./missing-import.js";
import { type KnownModules, locateIn, readModules } from "./modules.js";
import type { Settings } from "./settings.js";
import { sourcesDigest } from "./sources.js";

/** The contract as buf compiled it, comments and places included. */
export interface Image {
  /** A google.protobuf.FileDescriptorSet as buf wrote it: the same contract gives the same bytes. */
  readonly bytes: Uint8Array;
  /** What it was compiled from: `sourcesDigest`. */
  readonly sources: string;
  /** The path of a file relative to the project's root, from its path in the image: proto/shop/… from shop/…. */
  locate(path: string): string;
}

/** A contract that does not compile. */
export class CompileError extends Error {
  constructor(readonly diagnostics: readonly Diagnostic[]) {
    super(`the contract does not compile (${diagnostics.length} errors)`);
  }
}

/** Compiles the project's protos. Throws a CompileError with all that buf found wrong. `known`: see `readModules`. */
export async function buildImage({ root }: Settings, known?: KnownModules): Promise<Image> {
  const modules = await readModules(root, known);
  // Before buf reads them: an edit in between is another source.
  const sources = sourcesDigest(root, modules, bufBinary());
  const { findings, stdout } = await runBuf(root, ["build", "--as-file-descriptor-set", "--output", "-", ...asJson]);
  if (findings.length > 0) throw new CompileError(findings);
  return { bytes: stdout, sources, locate: locateIn(root, modules.modules) };
}

/**
 * Compiles what is not the project's contract as it is now: an input in buf's words, such as ".git#branch=main". Throws a
 * CompileError if it does not compile.
 *
 * @param config a buf.yaml for it, if not its own
 */
export async function buildInput({ root }: Settings, input: string, config?: string): Promise<Uint8Array> {
  const given = config === undefined ? [] : ["--config", config];
  const args = ["build", input, "--as-file-descriptor-set", "--output", "-", ...given, ...asJson];
  const { findings, stdout } = await runBuf(root, args);
  if (findings.length > 0) throw new CompileError(findings);
  return stdout;
}

/** What `buf lint` finds, by the rules in the project's buf.yaml. */
export async function bufLint({ root }: Settings): Promise<readonly Diagnostic[]> {
  return (await runBuf(root, ["lint", ...asJson])).findings;
}

/** What `buf breaking` finds. `args` are its own: --against, in all its forms, and others. */
export async function bufBreaking({ root }: Settings, args: readonly string[]): Promise<readonly Diagnostic[]> {
  return (await runBuf(root, ["breaking", ...args, ...asJson])).findings;
}

/** One of buf's own rules. */
export interface BufRule {
  readonly id: string;
  readonly purpose: string;
  readonly kind: "lint" | "breaking";
}

/** Every rule that buf has, whether buf.yaml chooses it or not. Needs no project. */
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

/** How findings are asked for. */
const asJson = ["--error-format", "json"];

interface Outcome {
  readonly findings: readonly Diagnostic[];
  readonly stdout: Buffer;
}

async function runBuf(root: string, args: readonly string[]): Promise<Outcome> {
  const child = spawn(bufBinary(), args, {
    cwd: root,
    stdio: ["ignore", "pipe", "pipe"],
    // It ends before much of its memory is worth being collected: less of that makes it a tenth faster.
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
      // A file that was deleted has no place any more.
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

/** The path of buf's binary, from the package that @bufbuild/buf brings for this system: no launcher in between. */
export function bufBinary(
  system: string = `${platform()} ${arch()}`,
  own: string | undefined = process.env.BUF,
): string {
  if (own) return own;
  const name = packages[system];
  if (name === undefined) throw new Error(`buf has no binary for ${system}. ${wayOut}`);
  const file = `@bufbuild/${name}/bin/${system.startsWith("win32") ? "buf.exe" : "buf"}`;
  try {
    // From where @bufbuild/buf is: package managers need not put what it depends on beside us.
    const here = createRequire(import.meta.url);
    return createRequire(here.resolve("@bufbuild/buf/package.json")).resolve(file);
  } catch {
    throw new Error(`buf is missing: there is no ${file}. ${wayOut}`);
  }
}
