import { createFileRegistry, type DescMessage, fromBinary, type JsonValue, toJson } from "@bufbuild/protobuf";
import { hasErrors, read } from "../../check/read.js";
import type { Event } from "../../contract/contract.js";
import { readCorpus } from "../../evolve/corpus.js";
import { corpusFolder } from "../../evolve/evolution.js";
import type { Settings } from "../../project/settings.js";
import { didYouMean } from "../../text/closest.js";
import { ContractError } from "../system.js";

/** A topic of the contract. */
export interface Topic {
  readonly name: string;
  /** The full name of its events' type. */
  readonly type: string;
  /** The service that publishes to it. Undefined: none of this system does. */
  readonly publisher: string | undefined;
  /** The publisher's full name, the source of its events. */
  readonly source: string | undefined;
  /** The services that consume it. Each is a consumer group. */
  readonly groups: readonly string[];
}

/** The topics, publishers and consumers of a contract. */
export interface EventSystem {
  readonly topics: readonly Topic[];
  /** The publishers and the consumers. */
  readonly publishers: readonly string[];
  readonly groups: readonly string[];
  /** Returns the topic of a name. Throws an error that lists the topics if there is none. */
  topic(name: string): Topic;
  /** Returns a message as ProtoJSON, decoded with the event's version. Throws if it cannot be decoded. */
  decode(attributes: Readonly<Record<string, string>>, payload: Uint8Array): JsonValue;
}

/** Reads it. Throws if the contract has errors. */
export async function readEventSystem(settings: Settings): Promise<EventSystem> {
  const { contract, findings, files } = await read(settings);
  if (hasErrors(findings)) throw new ContractError(findings);
  const topics = contract.events.map(({ topic, desc, publishers, consumers }) => ({
    name: topic,
    type: desc.typeName,
    publisher: publishers[0]?.name,
    source: publishers[0]?.desc.typeName,
    groups: consumers.map(({ name }) => name).sort(),
  }));
  if (topics.length === 0) {
    throw new Error("the contract has no events: a message becomes one by option (scaffold.v1.event)");
  }
  const registry = createFileRegistry(files);
  const past = await pastVersions(settings, contract.events);
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
    decode({ type = "", dataschema = "" }, payload) {
      const schema = past.get(dataschema) ?? registry.getMessage(type);
      if (schema === undefined) throw new Error(`${type || "its type"} is not in the contract`);
      return toJson(schema, fromBinary(schema, payload), { registry });
    },
  };
}

/** Throws an error for an unknown name, with a suggestion and the known names. */
export function unknown(what: string, name: string, known: readonly string[]): never {
  throw new Error(`there is no ${what} ${name}.${didYouMean(name, known)} There are: ${known.join(", ") || "none"}`);
}

/** Throws an error that lists the consumers if a group does not consume a topic. */
export function assertConsumes(system: EventSystem, group: string, topic: Topic): void {
  if (!system.groups.includes(group)) unknown("group", group, system.groups);
  if (topic.groups.includes(group)) return;
  throw new Error(`${group} does not consume ${topic.name}; these do: ${topic.groups.join(", ") || "none"}`);
}

/** Returns the messages of older versions of events, by the `dataschema` of their events. */
async function pastVersions(settings: Settings, events: readonly Event[]): Promise<ReadonlyMap<string, DescMessage>> {
  const corpora = await Promise.all(
    events.flatMap((event) =>
      event.publishers.map((publisher) =>
        readCorpus(settings.root, corpusFolder(settings, publisher, event), new Map(), () => false),
      ),
    ),
  );
  const versions = corpora.flatMap(({ versions }) => versions.slice(0, -1));
  return new Map(versions.map(({ event, major, minor, message }) => [`proto:${event}/${major}.${minor}`, message]));
}

function unique(names: readonly string[]): string[] {
  return [...new Set(names)].sort();
}
