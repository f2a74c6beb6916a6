import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { create, type DescMessage } from "@bufbuild/protobuf";
import { DescriptorProto_ReservedRangeSchema } from "@bufbuild/protobuf/wkt";
import type { Contract, Event, Service } from "../contract/contract.js";
import { publishedBy } from "../contract/events/event.js";
import { firstVersion, type Histories, type History, type Upcast } from "../contract/events/history.js";
import type { Diagnostic } from "../contract/findings/diagnostic.js";
import { Findings } from "../contract/findings/findings.js";
import { snakeCase } from "../contract/names/names.js";
import { processOwners } from "../contract/services/process.js";
import { committed } from "../output/git.js";
import { type Manifest, manifestName, parseManifest } from "../output/manifest.js";
import type { OutputFile } from "../output/output-file.js";
import { absent } from "../output/path.js";
import type { Settings } from "../project/settings.js";
import { type Change, compare, pairsIn } from "./compare.js";
import { printVersion, type Recorded, readCorpus, type Version, versionFile } from "./corpus.js";
import { messageOf, shapeOf } from "./shape.js";

/** The versions of the system's events, and those that are to be recorded. */
export interface Evolution {
  /** The files of all versions, including new ones. */
  readonly files: readonly OutputFile[];
  readonly histories: Histories;
  readonly findings: readonly Diagnostic[];
}

/** Returns an event's folder of versions, relative to the project's root. */
export function corpusFolder({ services }: Pick<Settings, "services">, publisher: Service, { topic }: Event): string {
  return `${services}/${publisher.name}/events/${topic}`;
}

/**
 * Compares the recorded versions of each event with the contract. Committed versions are never written again. Versions
 * that were recorded since the last commit were never published, so they are overwritten while the contract changes.
 *
 * @param forced selects the paths whose files are overwritten or removed. Default: none
 */
export async function planEvolution(
  settings: Pick<Settings, "root" | "services" | "generated">,
  contract: Pick<Contract, "services">,
  forced: (path: string) => boolean = () => false,
): Promise<Evolution> {
  const findings = new Findings();
  const files: OutputFile[] = [];
  const histories = new Map<Event, History>();
  const manifest = await readManifest(settings);
  const published = contract.services.flatMap((service) => publishedBy(service).map((event) => ({ service, event })));
  const corpora = await Promise.all(
    published.map(({ service, event }) =>
      readCorpus(settings.root, corpusFolder(settings, service, event), manifest, forced),
    ),
  );
  const paths = corpora.flatMap(({ versions }) => versions.map(({ path }) => path));
  const strays = await strayVersions(settings, contract, new Set(corpora.map(({ folder }) => folder)));
  const kept = await committed(settings.root, [...paths, ...strays.map(({ path }) => path)]);
  const isKept = ({ path }: { path: string }) => kept?.has(path) ?? true;

  for (const [index, { event }] of published.entries()) {
    const { folder, versions, faults } = corpora[index]!;
    for (const fault of faults) findings.error("EVENT_CORPUS", event.desc, `${fault}.`);
    if (faults.length > 0) continue;
    const last = versions.findLastIndex(isKept);
    const next = nextVersion(event, versions.slice(0, last + 1), folder);
    if (next.change === "incompatible") noteUpcast(event, next.history, findings);
    files.push(...next.versions.map(({ path, text }) => ({ path, content: text, owner: "tool" as const })));
    histories.set(event, next.history);
  }
  for (const { path, service } of strays.filter(isKept)) {
    const folder = path.slice(0, path.lastIndexOf("/"));
    const { name } = service.desc;
    const text = `${folder} holds versions of an event that ${name} does not publish. If the event has another topic now, give it back the one it had (topic: "${folder.slice(folder.lastIndexOf("/") + 1)}"); if another service publishes it, move the folder there; if none of its events is kept anywhere, delete the folder.`;
    findings.error("EVENT_CORPUS", service.desc, text);
  }
  return { files, histories, findings: findings.all() };
}

interface Next {
  readonly versions: readonly Pick<Recorded, "path" | "text">[];
  readonly history: History;
  readonly change: Change;
}

/** Returns the versions of an event, with a new one if the contract differs from the newest. */
function nextVersion({ desc, file }: Event, versions: readonly Recorded[], folder: string): Next {
  const now = messageOf(shapeOf(desc));
  const newest = versions.at(-1);
  const change = newest === undefined ? "none" : compare(newest.message, now).change;
  const isNew = newest === undefined || change !== "none" || newest.event !== desc.typeName;
  const { major, minor } = isNew ? after(newest, change) : newest;
  const path = `${folder}/${major}.${minor}.json`;
  if (newest !== undefined && isNew) reserveRemovedNumbers(newest.message, now);
  const all = isNew
    ? [...versions, { path, major, minor, event: desc.typeName, message: now, text: printVersion(now, desc.typeName) }]
    : versions;
  return { versions: all, history: historyOf(all, file), change };
}

function after(newest: Version | undefined, change: Change): Version {
  if (newest === undefined) return { major: 1, minor: 0 };
  const { major, minor } = newest;
  return change === "incompatible" ? { major: major + 1, minor: 0 } : { major, minor: minor + 1 };
}

function historyOf(versions: readonly Recorded[], file: string): History {
  const newest = versions.at(-1);
  if (newest === undefined) return firstVersion;
  const upcasts = versions.flatMap((version, index): Upcast[] => {
    const { major } = version;
    if (versions[index + 1]?.major !== major + 1) return [];
    const next = versions.findLast((other) => other.major === major + 1)!;
    const { carries, holes } = compare(version.message, next.message);
    const old = messageOf(shapeOf(version.message, pastPath(file, version), String(major)));
    return [{ from: major, old, carries, holes }];
  });
  const names = new Set(versions.map(({ event }) => event));
  names.delete(newest.event);
  return { version: `${newest.major}.${newest.minor}`, formerNames: [...names], upcasts };
}

/** Returns the path of a past version's message: a file of its own beside the current ones. */
function pastPath(file: string, { major, message }: Recorded): string {
  return `${file}_${snakeCase(message.name)}_${major}`;
}

/** Reserves the numbers of removed fields, so that no other field gets them. */
function reserveRemovedNumbers(old: DescMessage, now: DescMessage): void {
  for (const [before, after] of pairsIn(old, now)) {
    const ranges = after.proto.reservedRange;
    const isThere = (number: number) =>
      after.fields.some((field) => field.number === number) ||
      ranges.some(({ start, end }) => start <= number && number < end);
    const gone = [
      ...before.fields.map(({ number }) => ({ start: number, end: number + 1 })),
      ...before.proto.reservedRange,
    ];
    for (const { start, end } of gone) {
      if (!isThere(start)) ranges.push(create(DescriptorProto_ReservedRangeSchema, { start, end }));
    }
    ranges.sort((a, b) => a.start - b.start);
  }
}

function noteUpcast({ desc, handler }: Event, { upcasts }: History, findings: Findings): void {
  const { from, holes } = upcasts.at(-1)!;
  const what = holes.length === 1 ? holes[0] : `${holes.slice(0, -1).join(", ")} and ${holes.at(-1)}`;
  findings.note(
    "EVENT_CHANGED",
    desc,
    `${desc.name} cannot be read in its version ${from} without an upcaster: consumers need ${handler}From${from}, which fills ${what}. scaffold generate starts it.`,
  );
}

interface Stray {
  readonly path: string;
  readonly service: Service;
}

/** Returns the newest version of each folder without an event. */
async function strayVersions(
  { root, services }: Pick<Settings, "root" | "services">,
  contract: Pick<Contract, "services">,
  known: ReadonlySet<string>,
): Promise<Stray[]> {
  const found: Stray[] = [];
  for (const service of processOwners(contract.services)) {
    const parent = `${services}/${service.name}/events`;
    for (const topic of (await list(join(root, parent))).sort()) {
      const folder = `${parent}/${topic}`;
      if (known.has(folder)) continue;
      const name = (await list(join(root, folder)))
        .filter((file) => versionFile.test(file))
        .sort()
        .at(-1);
      if (name !== undefined) found.push({ path: `${folder}/${name}`, service });
    }
  }
  return found;
}

async function list(folder: string): Promise<string[]> {
  return readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOTDIR") return [];
    return absent(error) ?? [];
  });
}

async function readManifest({ root, generated }: Pick<Settings, "root" | "generated">): Promise<Manifest> {
  const text = (await readFile(join(root, generated, manifestName), "utf8").catch(absent)) ?? "";
  try {
    return parseManifest(text);
  } catch {
    // planOutput reports its faults.
    return new Map();
  }
}
