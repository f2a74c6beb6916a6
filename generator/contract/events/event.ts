import { type DescField, type DescMessage, getOption, ScalarType } from "@bufbuild/protobuf";
import { event as eventOption } from "@protoscaffold/runtime/codegen/options/scaffold/v1/options_pb.js";
import type { Event, Service } from "../contract.js";
import type { Findings } from "../findings/findings.js";
import { eventExports } from "../names/exports.js";
import { kebabCase, lowerFirst, packageWords } from "../names/names.js";
import { optionPath } from "../option-path.js";

const DEFAULT_PARTITIONS = 8;
const MOST_PARTITIONS = 1024;
const DEFAULT_RETENTION_H = 168;
/** The longest retention that timers and clocks of all brokers support: some 68 years. */
const LONGEST_RETENTION_H = 600_000;

/** An event without its publishers and consumers, which need all services. */
export type EventDraft = Event & { publishers: Service[]; consumers: Service[] };

/** Reads an event. */
export function buildEvent(message: DescMessage, findings: Findings): EventDraft {
  const options = getOption(message, eventOption);
  const topic = options.topic || defaultTopic(message);
  // The characters that Kafka allows, except upper case and underscores: Kafka's metrics confuse names that differ in these only.
  if (!/^[a-z0-9][a-z0-9.-]{0,199}$/.test(topic)) {
    findings.error(
      "EVENT_TOPIC",
      message,
      `"${topic}" is not a valid name for a topic: use a-z, 0-9, "." and "-", at most 200 of them.`,
      optionPath(eventOption, "topic"),
    );
  }
  if (options.partitions > MOST_PARTITIONS) {
    findings.error(
      "EVENT_TOPIC",
      message,
      `${options.partitions} partitions are too many: ${MOST_PARTITIONS} at most.`,
      optionPath(eventOption, "partitions"),
    );
  }
  if (options.retentionH > LONGEST_RETENTION_H) {
    findings.error(
      "EVENT_TOPIC",
      message,
      `retention_h is ${options.retentionH}: ${LONGEST_RETENTION_H} at most.`,
      optionPath(eventOption, "retention_h"),
    );
  }
  return {
    desc: message,
    file: message.file.name,
    exports: eventExports(message),
    handler: lowerFirst(message.name),
    topic,
    key: findKey(message, options.key, findings),
    partitions: options.partitions || DEFAULT_PARTITIONS,
    retentionH: options.retentionH || DEFAULT_RETENTION_H,
    isQueue: options.queue,
    publishers: [],
    consumers: [],
  };
}

/** Checks events against each other. */
export function checkEvents(events: readonly Event[], findings: Findings): void {
  const topics = new Map<string, Event>();
  for (const event of events) {
    const { desc, topic, publishers, consumers, isQueue } = event;
    const other = topics.get(topic);
    if (other !== undefined) {
      findings.error(
        "EVENT_TOPIC",
        desc,
        `${desc.name} and ${other.desc.typeName} share the topic ${topic}: name one in its option topic.`,
      );
    }
    topics.set(topic, event);
    if (publishers.length > 1) {
      findings.error(
        "EVENT_PUBLISHER",
        desc,
        `${desc.name} is published by ${names(publishers)}: keep one, and give the other an event of its own.`,
      );
    }
    if (isQueue && consumers.length > 1) {
      findings.error(
        "EVENT_QUEUE",
        desc,
        `${desc.name} is a queue, and ${names(consumers)} consume it: keep one, or leave queue out.`,
        optionPath(eventOption, "queue"),
      );
    }
  }
}

/** Returns the events that the methods and consumers of a service publish, without duplicates. */
export function publishedBy({ methods, consumes }: Service): Event[] {
  return [...new Set([...methods, ...consumes].flatMap(({ publishes }) => publishes))];
}

function names(services: readonly Service[]): string {
  return services.map(({ desc }) => desc.typeName).join(" and ");
}

/** Returns the default topic: "shop.orders.order-placed" for shop.orders.v1.OrderPlaced. */
function defaultTopic(message: DescMessage): string {
  return [...packageWords(message.file.proto.package).map(kebabCase), kebabCase(message.name)].join(".");
}

function findKey(message: DescMessage, name: string, findings: Findings): DescField | undefined {
  if (name === "") return undefined;
  const field = message.fields.find((candidate) => candidate.name === name);
  const isOrderly = field?.fieldKind === "scalar" && !unordered.has(field.scalar) && field.oneof === undefined;
  if (isOrderly) return field;
  return findings.error(
    "EVENT_KEY",
    message,
    `${message.name} has no string, whole number or bool "${name}": add one, or name another field.`,
    optionPath(eventOption, "key"),
  );
}

/** The types of which equal values may be encoded differently. */
const unordered = new Set([ScalarType.BYTES, ScalarType.DOUBLE, ScalarType.FLOAT]);
