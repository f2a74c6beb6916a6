import { fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { comparisons } from "../compare/comparisons.js";
import type { SagaRule } from "../compare/saga-rules.js";
import { buildContract } from "../contract/build.js";
import type { Diagnostic } from "../contract/diagnostic.js";
import { unreadEvents } from "../evolve/unread.js";
import { bufBreaking } from "../image/buf.js";
import { buildImage, buildInput } from "../image/compile.js";
import { descriptors } from "../image/descriptors.js";
import type { Settings } from "../project/settings.js";
import { hasErrors, locate } from "./read.js";

export interface BreakingOptions {
  /** What to compare with, in buf's words, relative to the project's root. */
  readonly against: string;
  /** A buf.yaml for that, if not its own. */
  readonly againstConfig?: string | undefined;
  /** Only these files and folders, relative to the project's root. Default: all. */
  readonly paths?: readonly string[] | undefined;
  /** Rules of ours that are not asked for this once. */
  readonly allow?: readonly SagaRule[] | undefined;
}

/** What a change of the contracts breaks: for callers, by the rules that buf.yaml chooses, for sagas that run, and for old events. */
export async function findBreaking(settings: Settings, options: BreakingOptions): Promise<readonly Diagnostic[]> {
  const { against, againstConfig, paths = [], allow = [] } = options;
  const config = againstConfig ? ["--against-config", againstConfig] : [];
  const found = await bufBreaking(settings, [
    "--against",
    against,
    ...config,
    ...paths.flatMap((path) => ["--path", path]),
  ]);
  // What does not compile has no sagas, and no events.
  if (found.some(({ rule }) => rule === "COMPILE")) return found;
  const [before, after] = await Promise.all([buildInput(settings, against, againstConfig), buildImage(settings)]);
  const reading = buildContract(descriptors(after), settings);
  // What is wrong in itself is for scaffold check to say.
  if (hasErrors(reading.findings)) return found;
  const old = buildContract(fromBinary(FileDescriptorSetSchema, before), settings).contract;
  const broken = [
    ...comparisons.flatMap((compare) => compare(old, reading.contract)),
    ...(await unreadEvents(settings, old, reading.contract)),
  ];
  const asked = locate(broken, after).filter(
    ({ file, rule }) => isIn(file, paths) && !(allow as readonly string[]).includes(rule),
  );
  return [...found, ...asked];
}

function isIn(file: string, paths: readonly string[]): boolean {
  const folders = paths.map((path) => path.replace(/^\.\//, "").replace(/\/$/, ""));
  return paths.length === 0 || folders.some((folder) => file === folder || file.startsWith(`${folder}/`));
}
