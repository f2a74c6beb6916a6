import type { DescMessage } from "@bufbuild/protobuf";
import type { Event } from "../contract.js";

/** How an event came to be what it is: what generated code says of its versions. */
export interface History {
  /** "2.1": what is readable by those who know 2.0 has the same first number. */
  readonly version: string;
  /** The full names that its message had before. */
  readonly formerNames: readonly string[];
  /** The ways from each first number to the next, in their order. */
  readonly upcasts: readonly Upcast[];
}

/** The way from one version of an event to the next one that cannot be read as the one before. */
export interface Upcast {
  /** The first number of the version that it starts from. */
  readonly from: number;
  /** The message as it was then. */
  readonly old: DescMessage;
  /** The numbers of the fields that mean the same in both. */
  readonly carries: readonly number[];
  /** The members of the newer message that somebody has to fill, as code calls them. */
  readonly holes: readonly string[];
}

/** The histories of events; one that is not among them has its first version. */
export type Histories = ReadonlyMap<Event, History>;

/** The history of an event that was never changed. */
export const firstVersion: History = { version: "1.0", formerNames: [], upcasts: [] };
