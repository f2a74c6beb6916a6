import {
  createFileRegistry,
  type DescMessage,
  fromBinary,
  type JsonValue,
  type Registry,
  toJson,
} from "@bufbuild/protobuf";
import { didYouMean } from "../closest.js";
import { ContractError } from "../generate.js";
import { hasErrors, read } from "../read.js";
import type { Settings } from "../settings.js";

/** A topic of the contract. */
export interface Topic {
  readonly name: string;
  /** The full name of its events' type. */
  readonly type: string;
  /** The service that publishes to it; undefined if none of this system does. */
  readonly publisher: string | undefined;
  /** The services that consume it, each a group. */
  readonly groups: readonly string[];
}

/** What the contract says of events. */
export interface EventSystem {
  readonly topics: readonly Topic[];
  /** The services that publish, and those that consume. */
  readonly publishers: readonly string[];
  readonly groups: readonly string[];
  /** The topic of a name, or an error that says which there are. */
  topic(name: string): Topic;
  /** A message as ProtoJSON, by its type's full name. Throws if it cannot be read. */
  decode(type: string, payload: Uint8Array): JsonValue;
}

/** Reads it. Throws if the contract has errors. */
export async function readEventSystem(settings: Settings): Promise<EventSystem> {
  const { contract, findings, files } = await read(settings);
  if (hasErrors(findings)) throw new ContractError(findings);
  const topics = contract.events.map(({ topic, desc, publishers, consumers }) => ({
    name: topic,
    type: desc.typeName,
    publisher: publishers[0]?.name,
    groups: consumers.map(({ name }) => name).sort(),
  }));
  if (topics.length === 0) {
    throw new Error("the contract has no events: a message becomes one by option (scaffold.v1.event)");
  }
  const registry = createFileRegistry(files);
  return {
    topics,
    publishers: unique(topics.flatMap(({ publisher }) => publisher ?? [])),
    groups: unique(topics.flatMap(({ groups }) => groups)),
    topic(name) {
      const found = topics.find((topic) => topic.name === name);
      return (
        found ??
        unknown(
          "topic",
          name,
          topics.map((topic) => topic.name),
        )
      );
    },
    decode: (type, payload) => decode(registry, type, payload),
  };
}

/** Says that there is no such thing, what may have been meant, and what there is. */
export function unknown(what: string, name: string, known: readonly string[]): never {
  throw new Error(`there is no ${what} ${name}.${didYouMean(name, known)} There are: ${known.join(", ") || "none"}`);
}

/** Whether a group consumes a topic: an error that says which do, if not. */
export function assertConsumes(system: EventSystem, group: string, topic: Topic): void {
  if (!system.groups.includes(group)) unknown("group", group, system.groups);
  if (topic.groups.includes(group)) return;
  throw new Error(`${group} does not consume ${topic.name}; these do: ${topic.groups.join(", ") || "none"}`);
}

function decode(registry: Registry, type: string, payload: Uint8Array): JsonValue {
  const schema: DescMessage | undefined = registry.getMessage(type);
  if (schema === undefined) throw new Error(`${type || "its type"} is not in the contract`);
  return toJson(schema, fromBinary(schema, payload), { registry });
}

function unique(names: readonly string[]): string[] {
  return [...new Set(names)].sort();
}
