import type { JsonValue } from "@bufbuild/protobuf";
import { duration } from "../../text/duration.js";
import type { EventSystem } from "./system.js";

/** Returns an event for programs: the message as ProtoJSON, or its bytes and the reason why they cannot be decoded. */
export type Content = { readonly event: JsonValue } | { readonly undecodable: string; readonly payload: string };

export function contentOf(
  system: EventSystem,
  { attributes, payload }: { readonly attributes: Readonly<Record<string, string>>; readonly payload: Uint8Array },
): Content {
  try {
    return { event: system.decode(attributes, payload) };
  } catch (error) {
    return { undecodable: (error as Error).message, payload: Buffer.from(payload).toString("base64") };
  }
}

/** The same for people. */
export function contentText(content: Content): string {
  return "event" in content ? JSON.stringify(content.event) : `undecodable: ${content.undecodable}`;
}

/** Returns a table cell, quoted if it is empty or has spaces. */
export function cell(text: string): string {
  return /^[^\s"]+$/.test(text) ? text : JSON.stringify(text);
}

/** Returns the age of a time, or "-" if there is none. */
export function age(time: Date | null): string {
  return time === null ? "-" : duration(Math.max(0, Math.round((Date.now() - time.getTime()) / 1000)));
}

export function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? "" : "s"}`;
}
