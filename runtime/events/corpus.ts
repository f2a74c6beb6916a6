import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  createFileRegistry,
  type DescFile,
  type DescMessage,
  equals,
  fromBinary,
  fromJson,
  type JsonValue,
  type Message,
  toBinary,
} from "@bufbuild/protobuf";
import * as wkt from "@bufbuild/protobuf/wkt";
import type { EventType } from "../spec/event.js";
import type { ServiceSpec } from "../spec/service.js";
import { only, readEvent, type Upcasters, upcastersOf } from "./evolution.js";

/**
 * Everything that a service reads otherwise than it was written, of the events that it consumes: every sample of every
 * version that was ever recorded of them is read as the service reads events, and compared with what it was written as.
 * Empty: nothing. For a test:
 *
 *     expect(await corpusFaults(notifications, new URL("../", import.meta.url))).toEqual([]);
 *
 * @param services the folder of all services; each has the versions of what it publishes in its folder `events`
 */
export async function corpusFaults({ spec, upcasters = {} }: Consuming, services: URL | string): Promise<string[]> {
  const root = typeof services === "string" ? services : fileURLToPath(services);
  const faults: string[] = [];
  for (const [name, { event }] of Object.entries(spec.consumes ?? {})) {
    const versions = await versionsOf(root, event.topic);
    if (versions.length === 0) faults.push(`${event.topic}: no version of it is recorded in ${root}`);
    const fill = upcastersOf(name, event, upcasters);
    for (const version of versions)
      faults.push(...version.samples.flatMap((sample) => faultsOf(event, version, sample, fill)));
  }
  return faults;
}

/** What of a service's definition says how it reads events. */
interface Consuming {
  readonly spec: Pick<ServiceSpec, "consumes">;
  readonly upcasters?: Readonly<Record<string, (old: never) => object>>;
}

interface RecordedVersion {
  readonly version: string;
  /** The full name that the message had. */
  readonly type: string;
  readonly message: DescMessage;
  readonly samples: readonly (readonly [name: string, bytes: Uint8Array])[];
}

async function versionsOf(root: string, topic: string): Promise<RecordedVersion[]> {
  const folders = (await readdir(root)).map((service) => join(root, service, "events", topic));
  const found = await Promise.all(
    folders.map(async (folder) => {
      const files = await readdir(folder).catch(() => []);
      const names = files.filter((name) => /^\d+\.\d+\.json$/.test(name)).sort();
      return Promise.all(names.map((name) => readVersion(join(folder, name), name.slice(0, -".json".length))));
    }),
  );
  return found.flat();
}

async function readVersion(path: string, version: string): Promise<RecordedVersion> {
  const { event, shape, samples } = JSON.parse(await readFile(path, "utf8")) as {
    event: string;
    shape: JsonValue;
    samples: Record<string, string>;
  };
  const file = fromJson(wkt.FileDescriptorProtoSchema, shape);
  const message = createFileRegistry(file, (name) => wellKnown.get(name)).getFile(file.name)?.messages[0];
  if (message === undefined) throw new Error(`${path} has no message`);
  const decoded = Object.entries(samples).map(([name, text]) => [name, Buffer.from(text, "base64")] as const);
  return { version, type: event, message, samples: decoded };
}

const wellKnown = new Map<string, DescFile>(
  Object.values(wkt).flatMap((value) =>
    typeof value === "object" && "kind" in value && value.kind === "file" ? [[`${value.name}.proto`, value]] : [],
  ),
);

function faultsOf(
  event: EventType,
  { version, type, message }: RecordedVersion,
  [sample, bytes]: readonly [string, Uint8Array],
  upcasters: Upcasters,
): string[] {
  const place = `${event.topic} ${version}, sample "${sample}"`;
  const attributes = { type, dataschema: `proto:${type}/${version}` };
  let read: Message;
  try {
    read = readEvent(event, attributes, bytes, upcasters);
  } catch (error) {
    return [`${place}: ${(error as Error).message}`];
  }
  // Written anew, an event says to those who know the old version what it said before.
  const again = toBinary(event.schema, read);
  const way = (event.upcasts ?? []).filter(({ from }) => from >= Number.parseInt(version, 10));
  return message.fields
    .filter(({ number }) => way.every(({ carries }) => carries.includes(number)))
    .filter(({ number }) => {
      const [before, after] = [bytes, again].map((all) => fromBinary(message, only([number], all)));
      return !equals(message, before!, after!);
    })
    .map(({ name }) => `${place}: ${name} is read as something else`);
}
