import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import type { CallOptions } from "@connectrpc/connect";
import type { Transaction } from "../data/transaction.js";

/** An event as its handler gets it. */
export interface Delivery<D extends DescMessage = DescMessage> {
  readonly event: MessageShape<D>;
  /** Names it among its source's events; whatever is done outside of `tx` is done once if it is done by this name. */
  readonly id: string;
  /** The full name of the service that published it. */
  readonly source: string;
  /** What ordered it; empty if nothing did. */
  readonly key: string;
  /** When it was published. */
  readonly time: Date;
  /** Which try this is, from 1 on. */
  readonly attempt: number;
  /** Names the replay that brought it once more; 0: none did. */
  readonly replay: number;
  /** All that its publisher said of it, by the names of CloudEvents' attributes and extensions. */
  readonly attributes: Readonly<Record<string, string>>;
}

/** What a consumer's handler works with. */
export interface ConsumerContext<Entities = unknown, Published extends DescMessage = never> {
  /** What is done in it happens once, together with the note that the event was handled, or not at all. */
  readonly tx: Transaction<Entities, Published>;
  /** Aborted when its time is over. */
  readonly signal: AbortSignal;
  /** For calls to other services: they end with the handler's time, and continue the event's trace. */
  readonly call: CallOptions;
}

/** A consumer's handler of one type of event. If it throws, nothing of what it did in `tx` is left. */
export type ConsumerHandler = (delivery: Delivery, context: ConsumerContext) => Promise<void> | void;

/** Thrown by a handler: trying again is of no use. The event goes to the dead letters at once. */
export class Unprocessable extends Error {
  override readonly name = "Unprocessable";
}
