import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { type DescMessage, fromJson, type JsonValue, toJson } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import type { Manifest } from "../output/manifest.js";
import { absent } from "../output/path.js";
import { hash } from "../output/text.js";
import { layOut } from "../text/json-layout.js";
import { samplesOf } from "./samples.js";
import { messageOf } from "./shape.js";

/** A recorded version of an event. */
export interface Recorded extends Version {
  /** Relative to the project's root. */
  readonly path: string;
  readonly text: string;
  /** The full name of the message in this version. */
  readonly event: string;
  readonly message: DescMessage;
}

export interface Version {
  readonly major: number;
  readonly minor: number;
}

/** The contents of an event's folder of versions. */
export interface Corpus {
  /** Relative to the project's root. */
  readonly folder: string;
  /** In ascending order. */
  readonly versions: readonly Recorded[];
  /** The faults of the folder, and how to fix them. */
  readonly faults: readonly string[];
}

/** The pattern of a version's file name. */
export const versionFile = /^(\d{1,6})\.(\d{1,6})\.json$/;

/** Reads an event's folder of versions. A missing folder is empty. Files that may be recorded again are skipped. */
export async function readCorpus(
  root: string,
  folder: string,
  manifest: Manifest,
  forced: (path: string) => boolean,
): Promise<Corpus> {
  const names = ((await readdir(join(root, folder)).catch(absent)) ?? []).filter(
    (name) => versionFile.test(name) && !forced(`${folder}/${name}`),
  );
  const faults: string[] = [];
  const versions: Recorded[] = [];
  for (const name of names) {
    const path = `${folder}/${name}`;
    const text = await readFile(join(root, path), "utf8");
    const known = manifest.get(path);
    const recorded = parse(path, text);
    if (recorded === undefined) {
      faults.push(
        `${path} is not a version of an event. Restore it from version control; of two with one number, keep the one that was published first, and run scaffold generate`,
      );
    } else if (typeof known === "object" && !known.has(hash(text))) {
      faults.push(
        `${path} is not what was recorded. Restore it from version control or, if no event of this version was ever published, record it again with --force ${path}`,
      );
    } else versions.push(recorded);
  }
  for (const path of manifest.keys()) {
    if (!path.startsWith(`${folder}/`) || forced(path)) continue;
    const name = path.slice(folder.length + 1);
    if (versionFile.test(name) && !names.includes(name)) faults.push(lost(path));
  }
  versions.sort((a, b) => a.major - b.major || a.minor - b.minor);
  if (faults.length === 0) faults.push(...gaps(folder, versions));
  return { folder, versions, faults };
}

/** Returns the text of a version's file. */
export function printVersion(message: DescMessage, event: string): string {
  const samples = Object.entries(samplesOf(message)).map(([name, bytes]) => [
    name,
    Buffer.from(bytes).toString("base64"),
  ]);
  const shape = toJson(FileDescriptorProtoSchema, message.file.proto);
  return `${layOut({ event, shape, samples: Object.fromEntries(samples) }, 5)}\n`;
}

function parse(path: string, text: string): Recorded | undefined {
  const [, major, minor] = versionFile.exec(path.slice(path.lastIndexOf("/") + 1)) ?? [];
  try {
    const { event, shape } = JSON.parse(text) as { event: string; shape: JsonValue };
    if (typeof event !== "string") return undefined;
    const message = messageOf(fromJson(FileDescriptorProtoSchema, shape));
    return { path, text, major: Number(major), minor: Number(minor), event, message };
  } catch {
    return undefined;
  }
}

/** Returns the gaps between versions, and before the first one. */
function gaps(folder: string, versions: readonly Recorded[]): string[] {
  return versions.flatMap(({ major, minor }, index) => {
    const before = versions[index - 1] ?? { major: 0, minor: 0 };
    const follows =
      (minor === before.minor + 1 && major === before.major && index > 0) ||
      (minor === 0 && major === before.major + 1);
    return follows ? [] : [lost(`${folder}/${minor > 0 ? `${major}.${minor - 1}` : `${major - 1}.0`}.json`)];
  });
}

function lost(path: string): string {
  return `${path} is gone, and events may be kept that were published by it. Restore it from version control, or let it go, if none ever was, with --force ${path}`;
}
