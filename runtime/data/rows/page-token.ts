import { createHash } from "node:crypto";
import { violated } from "../../call/violations.js";

const CHECK_BYTES = 9;

/** The end of a page: the last row's values of the sort fields, in PostgreSQL's text format. */
export type Position = readonly (string | null)[];

/** Returns a page token, which continues after a position of a list. It is opaque to clients (AIP-158). */
export function pageToken(list: string, position: Position): string {
  return encode(list, JSON.stringify(position));
}

/**
 * Returns the position in a page token.
 *
 * A token of another list, filter or order, or a mistyped one, is refused. This guards against mistakes, not attacks: a caller that may
 * list the rows may also know their values.
 *
 * @param list identifies the list: the entity, and everything else that distinguishes it
 * @param length the number of sort fields
 * @throws ConnectError INVALID_ARGUMENT if it is not a token of this list
 */
export function parsePageToken(list: string, token: string, length: number): Position {
  const payload = Buffer.from(token, "base64url").subarray(CHECK_BYTES).toString();
  // Compare the re-encoded token, so that no second spelling of it is accepted.
  const position = encode(list, payload) === token ? parse(payload) : undefined;
  if (position?.length === length) return position;
  throw violated([
    {
      field: "page_token",
      description:
        "is none that this list gave out: send the next_page_token of the page before with the same filter and order_by, or leave it empty",
      reason: "PAGE_TOKEN_INVALID",
    },
  ]);
}

function parse(payload: string): Position | undefined {
  try {
    const position: unknown = JSON.parse(payload);
    const isPosition = Array.isArray(position) && position.every((value) => value === null || isText(value));
    return isPosition ? position : undefined;
  } catch {
    return undefined;
  }
}

/** Returns whether the database can have written this value. */
function isText(value: unknown): value is string {
  return typeof value === "string" && value.isWellFormed() && !value.includes("\0");
}

function encode(list: string, payload: string): string {
  const check = createHash("sha256").update(`page\0${list}\0${payload}`).digest().subarray(0, CHECK_BYTES);
  return Buffer.concat([check, Buffer.from(payload)]).toString("base64url");
}
