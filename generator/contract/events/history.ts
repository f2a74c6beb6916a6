import type { DescMessage } from "@bufbuild/protobuf";
import type { Event } from "../contract.js";

/** The versions of an event, for its generated code. */
export interface History {
  /** "2.1": consumers of 2.0 can read every version with the same first number. */
  readonly version: string;
  /** The former full names of its message. */
  readonly formerNames: readonly string[];
  /** The upcasts from each first number to the next, in order. */
  readonly upcasts: readonly Upcast[];
}

/** The conversion of an event from one version to the next incompatible one. */
export interface Upcast {
  /** The first number of the old version. */
  readonly from: number;
  /** The message of the old version. */
  readonly old: DescMessage;
  /** The numbers of the fields that both versions share. */
  readonly carries: readonly number[];
  /** The members of the newer message that a handwritten function has to fill, by their names in code. */
  readonly holes: readonly string[];
}

/** The histories of events. An event without one has its first version. */
export type Histories = ReadonlyMap<Event, History>;

/** The history of an event in its first version. */
export const firstVersion: History = { version: "1.0", formerNames: [], upcasts: [] };
