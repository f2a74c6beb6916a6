import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import type { Codec } from "../codec/codec.js";
import type { RetryPolicy } from "./retry.js";

/**
 * The way from one version of an event to the next one that cannot be read as the one before. What is the same in both is
 * carried over; the rest a person says.
 */
export interface Upcast {
  /** The first number of the version that it starts from. */
  readonly from: number;
  readonly old: DescMessage;
  readonly next: DescMessage;
  /** The numbers of the fields that are carried over. */
  readonly carries: readonly number[];
}

/** A type of events, as its contract declares it: what is published to which topic, in which order. */
export interface EventType<D extends DescMessage = DescMessage> {
  readonly schema: D;
  readonly codec: Codec<D>;
  /** The version of its message, "2.1": whoever knows a version reads all that have the same first number. */
  readonly version: string;
  /** The full names that its message had before. Default: none. */
  readonly formerNames?: readonly string[];
  /** The ways from each first number of its version to the next one, in their order. Default: there is one number only. */
  readonly upcasts?: readonly Upcast[];
  readonly topic: string;
  /** What orders an event; undefined: nothing does. */
  key?(event: MessageShape<D>): string;
  readonly partitions: number;
  /** How long events are kept, in milliseconds. */
  readonly retentionMs: number;
}

/** What generated `_events` files call; it gives the event's type its place in inference. */
export function defineEvent<D extends DescMessage>(type: EventType<D>): EventType<D> {
  return type;
}

/** How a service consumes the events of one type. */
export interface SubscriptionPolicy {
  /** How many keys are worked on at a time in one process. */
  readonly concurrency: number;
  /** The most events that one process takes at a time from one partition. */
  readonly batch: number;
  /** The longest that handling one event may take, in milliseconds. */
  readonly timeoutMs: number;
  readonly retry: RetryPolicy;
  /** What becomes of a key whose event went to the dead letters: it goes on without it, or waits for a person. */
  readonly deadLetter: "skip" | "park";
}

/** A subscription of a service: to what, and how. */
export interface SubscriptionSpec extends SubscriptionPolicy {
  readonly event: EventType;
}
