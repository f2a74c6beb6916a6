import type { FileDescriptorSet } from "@bufbuild/protobuf/wkt";
import type { Contract } from "./contract/contract.js";
import type { Histories } from "./contract/events/history.js";
import type { EmittedFile } from "./emit/emitter.js";
import type { OutputFile } from "./output/output-file.js";
import { printContract } from "./print/contract.js";
import { printMessages } from "./print/messages.js";
import { printOldMessages } from "./print/old-messages.js";
import { requirements } from "./project/requirements.js";

/** The folder of generated files, and the package name by which they are imported. */
export interface Target {
  /** The folder, relative to the project's root. */
  readonly generated: string;
  /** The package name of the folder. */
  readonly package: string;
}

/**
 * Returns every file under `generated/`. They depend on the contract and the recorded events only: the same input gives the
 * same bytes. `printing`: the result of `printMessages`, if a thread computes it.
 */
export async function plan(
  contract: Contract,
  descriptors: FileDescriptorSet,
  target: Target,
  histories: Histories = new Map(),
  printing?: Promise<readonly EmittedFile[]>,
): Promise<OutputFile[]> {
  const messages = (await printing) ?? printMessages(descriptors);
  const printed = [...messages, ...printOldMessages(histories), ...printContract(contract, descriptors, histories)];
  return [...printed, packageJson(target)].map(({ path, content }) => ({
    path: `${target.generated}/${path}`,
    content: withPlainLines(content),
    owner: "tool",
  }));
}

/**
 * Replaces line separators other than LF: they do not end a comment in Protobuf, but do in TypeScript, and the rest of the
 * comment would be code.
 */
function withPlainLines(content: string): string {
  return content.replace(/\r(?=\n)/g, "").replace(/[\r\u2028\u2029]/g, " ");
}

/**
 * Returns the package.json of the folder, so that code imports it by name. Its dependencies are peers: npm then does not
 * install a second copy of packages that the services have.
 */
function packageJson({ package: name }: Target): EmittedFile {
  const exports = { "./*.js": "./*.ts" };
  const content = { name, version: "0.0.0", private: true, type: "module", exports, peerDependencies: requirements };
  return { path: "package.json", content: `${JSON.stringify(content, undefined, 2)}\n` };
}
