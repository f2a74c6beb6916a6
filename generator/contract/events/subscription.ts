import { getOption, type Registry } from "@bufbuild/protobuf";
import {
  DeadLetter,
  method as methodOption,
  type Subscription as SubscriptionOptions,
  service as serviceOption,
} from "@protoscaffold/runtime/codegen/options/scaffold/v1/options_pb.js";
import type { Event, Method, RetryPolicy, Service, Subscription } from "../contract.js";
import type { Findings } from "../findings/findings.js";
import { resolve } from "../names/names.js";
import { optionPath } from "../option-path.js";
import { readRetryPolicy } from "../retry.js";
import type { Draft } from "../services/service.js";
import type { EventDraft } from "./event.js";

const LONGEST_TIMER_MS = 2 ** 31 - 1;
const DEFAULT_RETRY: RetryPolicy = {
  maxAttempts: 10,
  initialBackoffMs: 200,
  maxBackoffMs: 60_000,
  backoffMultiplier: 2,
};

type Drafts = ReadonlyMap<string, EventDraft>;

/** Fills in the subscriptions of a service, and the events that its methods and consumers publish. */
export function linkEvents(service: Draft, registry: Registry, events: Drafts, findings: Findings): void {
  getOption(service.desc, serviceOption).consumes.forEach((options, position) => {
    const at = optionPath(serviceOption, "consumes", position);
    const event = findEvent(options.event, service, service.desc, at, registry, events, findings);
    if (event === undefined) return;
    const other = service.consumes.find((subscription) => subscription.event.handler === event.handler);
    if (other !== undefined) {
      findings.error(
        "EVENT_SUBSCRIPTION",
        service.desc,
        other.event === event
          ? `${service.desc.name} consumes ${event.desc.name} twice: remove one.`
          : `${service.desc.name}'s handler ${event.handler} would be for both ${other.event.desc.typeName} and ${event.desc.typeName}: rename one.`,
        at,
      );
      return;
    }
    event.consumers.push(service);
    const publishes = publishedAs(options.publishes, service.desc, () => at);
    service.consumes.push({ ...subscription(event, options, service, at, findings), publishes });
  });
  for (const method of service.methods) {
    const { publishes: names } = getOption(method.desc, methodOption);
    method.publishes = publishedAs(names, method.desc, (position) => optionPath(methodOption, "publishes", position));
    // Which events are published is the author's decision: nothing is inferred.
    if (method.publishes.length > 0) method.standard = undefined;
  }

  /** Returns the events of these names, and adds the service to their publishers. */
  function publishedAs(names: string[], desc: Service["desc"] | Method["desc"], at: (position: number) => number[]) {
    const published = new Set<Event>();
    names.forEach((name, position) => {
      const event = findEvent(name, service, desc, at(position), registry, events, findings);
      if (event === undefined) return;
      if (!service.run) {
        findings.error(
          "EVENT_PUBLISHER",
          desc,
          `${service.desc.name} is not run by this system, so it publishes nothing: give it option (scaffold.v1.service).`,
          at(position),
        );
        return;
      }
      published.add(event);
      if (!event.publishers.includes(service)) event.publishers.push(service);
    });
    return [...published];
  }
}

function findEvent(
  name: string,
  service: Service,
  desc: Service["desc"] | Method["desc"],
  at: number[],
  registry: Registry,
  events: Drafts,
  findings: Findings,
): EventDraft | undefined {
  const message = resolve(registry, "message", name, service.desc.file.proto.package);
  if (message === undefined) {
    return findings.error(
      "OPTION_NAME_UNKNOWN",
      desc,
      `No message is called ${name} here: name it from the package on, or declare it.`,
      at,
    );
  }
  const event = events.get(message.typeName);
  if (event !== undefined) return event;
  return findings.error(
    "EVENT_UNDECLARED",
    desc,
    `${message.typeName} is not an event: give it option (scaffold.v1.event).`,
    at,
  );
}

function subscription(
  event: Event,
  { concurrency, batch, timeoutMs, retry, deadLetter }: SubscriptionOptions,
  service: Service,
  at: number[],
  findings: Findings,
): Omit<Subscription, "publishes"> {
  const fault = (message: string) => findings.error("EVENT_SUBSCRIPTION", service.desc, message, at);
  if (timeoutMs > LONGEST_TIMER_MS) {
    fault(`timeout_ms of ${event.desc.name} is longer than a timer runs (24 days): shorten it.`);
  }
  if (concurrency > 1000 || batch > 10_000) {
    fault("More than 1,000 keys at a time, or 10,000 events in a batch, is not kept in memory: ask for fewer.");
  }
  if (DeadLetter[deadLetter] === undefined) {
    fault(`dead_letter is ${deadLetter}, which means nothing: say DEAD_LETTER_SKIP or DEAD_LETTER_PARK.`);
  }
  return {
    event,
    concurrency: concurrency || 8,
    batch: batch || 100,
    timeoutMs: timeoutMs || 30_000,
    retry: readRetryPolicy(retry, DEFAULT_RETRY, fault),
    parks: deadLetter === DeadLetter.PARK,
  };
}
