import type { Diagnostic } from "../contract/findings/diagnostic.js";
import type { Settings } from "../project/settings.js";
import { asJson, bufBinary, runBuf } from "./buf.js";
import { type KnownModules, locateIn, readModules } from "./modules.js";
import { sourcesDigest } from "./sources.js";

/** The contract as compiled by buf, with comments and places. */
export interface Image {
  /** An encoded google.protobuf.FileDescriptorSet. The same contract gives the same bytes. */
  readonly bytes: Uint8Array;
  /** The digest of its sources: `sourcesDigest`. */
  readonly sources: string;
  /** Returns the path of a file relative to the project's root from its path in the image: proto/shop/… from shop/…. */
  locate(path: string): string;
}

/** Thrown for a contract that does not compile. */
export class CompileError extends Error {
  constructor(readonly diagnostics: readonly Diagnostic[]) {
    super(`the contract does not compile (${diagnostics.length} errors)`);
  }
}

/** Compiles the project's protos. Throws a CompileError with all errors of buf. `known`: see `readModules`. */
export async function buildImage({ root }: Settings, known?: KnownModules): Promise<Image> {
  const modules = await readModules(root, known);
  // Compute the digest before buf reads the sources: an edit in between must change it.
  const sources = sourcesDigest(root, modules, bufBinary());
  const { findings, stdout } = await runBuf(root, ["build", "--as-file-descriptor-set", "--output", "-", ...asJson]);
  if (findings.length > 0) throw new CompileError(findings);
  return { bytes: stdout, sources, locate: locateIn(root, modules.modules) };
}

/**
 * Compiles another input of buf, such as ".git#branch=main". Throws a CompileError if it does not compile.
 *
 * @param config the buf.yaml for it. Default: its own
 */
export async function buildInput({ root }: Settings, input: string, config?: string): Promise<Uint8Array> {
  const given = config === undefined ? [] : ["--config", config];
  const args = ["build", input, "--as-file-descriptor-set", "--output", "-", ...given, ...asJson];
  const { findings, stdout } = await runBuf(root, args);
  if (findings.length > 0) throw new CompileError(findings);
  return stdout;
}
