import { posix } from "node:path";
import { fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { comparisons } from "../compare/comparisons.js";
import { placeOfDeleted } from "../compare/deleted.js";
import type { SagaRule } from "../compare/saga-rules.js";
import { buildContract } from "../contract/build.js";
import type { Diagnostic, Place } from "../contract/findings/diagnostic.js";
import { unreadEvents } from "../evolve/unread.js";
import { bufBreaking } from "../image/buf.js";
import { buildImage, buildInput, type Image } from "../image/compile.js";
import { descriptors } from "../image/descriptors.js";
import { bufModules } from "../image/modules.js";
import type { Settings } from "../project/settings.js";
import { hasErrors, locate } from "./read.js";

export interface BreakingOptions {
  /** What to compare with: an input of buf, relative to the project's root. */
  readonly against: string;
  /** The buf.yaml for that input. Default: its own. */
  readonly againstConfig?: string | undefined;
  /** Only these files and folders, relative to the project's root. Default: all. */
  readonly paths?: readonly string[] | undefined;
  /** Rules that may be broken in this run. */
  readonly allow?: readonly SagaRule[] | undefined;
}

/**
 * Returns what a change of the contracts breaks: for callers, by the rules that buf.yaml selects; for running sagas; and for old
 * events. A finding about a deleted declaration has its place in the old contract, too.
 */
export async function findBreaking(settings: Settings, options: BreakingOptions): Promise<readonly Diagnostic[]> {
  const { against, againstConfig, paths = [], allow = [] } = options;
  const config = againstConfig ? ["--against-config", againstConfig] : [];
  const found = await bufBreaking(settings, [
    "--against",
    against,
    ...config,
    ...paths.flatMap((path) => ["--path", path]),
  ]);
  // A contract that does not compile has no sagas and no events.
  if (found.some(({ rule }) => rule === "COMPILE")) return found;
  const [before, after, modules] = await Promise.all([
    buildInput(settings, against, againstConfig),
    buildImage(settings),
    bufModules(settings.root),
  ]);
  const locateOld = ({ file, ...place }: Place): Place => ({ ...place, file: locateDeleted(file, after, modules) });
  const old = buildContract(fromBinary(FileDescriptorSetSchema, before), settings).contract;
  const byBuf = found.map((finding) => {
    const place = placeOfDeleted(finding, old);
    return place === undefined ? finding : { ...finding, old: locateOld(place) };
  });
  const { contract, findings } = buildContract(descriptors(after), settings);
  // scaffold check reports the new contract's own errors.
  if (hasErrors(findings)) return byBuf;
  const broken = [
    ...comparisons.flatMap((compare) => compare(old, contract)),
    ...(await unreadEvents(settings, old, contract)),
  ];
  const asked = locate(broken, after)
    .map((finding) => (finding.old === undefined ? finding : { ...finding, old: locateOld(finding.old) }))
    .filter(
      ({ file, old, rule }) =>
        (isIn(file, paths) || (old !== undefined && isIn(old.file, paths))) &&
        !(allow as readonly string[]).includes(rule),
    );
  return [...byBuf, ...asked];
}

/** Returns the path in the project that a file of the old image has, or had if it was deleted from the only module. */
function locateDeleted(path: string, after: Image, modules: readonly string[]): string {
  const located = after.locate(path);
  const [module, ...others] = modules;
  return located === path && module !== undefined && others.length === 0 ? posix.join(module, path) : located;
}

function isIn(file: string, paths: readonly string[]): boolean {
  const folders = paths.map((path) => path.replace(/^\.\//, "").replace(/\/$/, ""));
  return paths.length === 0 || folders.some((folder) => file === folder || file.startsWith(`${folder}/`));
}
