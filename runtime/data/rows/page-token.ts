import { createHash } from "node:crypto";
import { violated } from "../../call/violations.js";

const CHECK_BYTES = 9;

/** Where a page ends: what its last row has in the fields that the list is ordered by, as the database writes it. */
export type Position = readonly (string | null)[];

/** A page token: goes on after this position of this list. Opaque to clients (AIP-158). */
export function pageToken(list: string, position: Position): string {
  return encode(list, JSON.stringify(position));
}

/**
 * The position that a page token goes on after.
 *
 * A token is checked so that one of another list, of another filter or order, or a mistyped one, is refused rather than
 * taken for a place in this list. It guards against mistakes only: whoever may list rows may as well know what is in them.
 *
 * @param list names the list: the entity, and whatever else makes it another
 * @param length how many fields it is ordered by
 * @throws ConnectError INVALID_ARGUMENT if it is no token of this list
 */
export function parsePageToken(list: string, token: string, length: number): Position {
  const payload = Buffer.from(token, "base64url").subarray(CHECK_BYTES).toString();
  // Compares the token itself, so that no second spelling of it is accepted.
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

/** Whether the database may have written this. */
function isText(value: unknown): value is string {
  return typeof value === "string" && value.isWellFormed() && !value.includes("\0");
}

function encode(list: string, payload: string): string {
  const check = createHash("sha256").update(`page\0${list}\0${payload}`).digest().subarray(0, CHECK_BYTES);
  return Buffer.concat([check, Buffer.from(payload)]).toString("base64url");
}
