import type { FileDescriptorSet } from "@bufbuild/protobuf/wkt";
import type { Contract } from "./contract/contract.js";
import type { Histories } from "./contract/events/history.js";
import type { EmittedFile } from "./emit/emitter.js";
import type { OutputFile } from "./output/output-file.js";
import { printContract } from "./print/contract.js";
import { printMessages } from "./print/messages.js";
import { printOldMessages } from "./print/old-messages.js";
import { requirements } from "./project/requirements.js";

/** Where generated files go, and by which name they are imported. */
export interface Target {
  /** The folder, relative to the project's root. */
  readonly generated: string;
  /** The name of the package that the folder is. */
  readonly package: string;
}

/**
 * Everything under `generated/`, from the contract, and from what is recorded of its events, alone: the same of both gives
 * the same bytes. `printing`: what `printMessages` gives, if it is printed elsewhere.
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
 * A comment of the contract goes on as long as Protobuf's lines do. In TypeScript other characters end a line too, and
 * what comes after one would be code.
 */
function withPlainLines(content: string): string {
  return content.replace(/\r(?=\n)/g, "").replace(/[\r\u2028\u2029]/g, " ");
}

/**
 * What makes the folder a package that code imports by name. Its imports are peers: npm then refuses to give it a copy of
 * its own of what the services have.
 */
function packageJson({ package: name }: Target): EmittedFile {
  const exports = { "./*.js": "./*.ts" };
  const content = { name, version: "0.0.0", private: true, type: "module", exports, peerDependencies: requirements };
  return { path: "package.json", content: `${JSON.stringify(content, undefined, 2)}\n` };
}
