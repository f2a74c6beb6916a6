import { createHash } from "node:crypto";
import { Code, ConnectError } from "@connectrpc/connect";

const CHECK_BYTES = 9;

/** A page token: goes on after the row with this key. Opaque to clients (AIP-158). */
export function pageToken(entity: string, key: string): string {
  return Buffer.concat([check(entity, key), Buffer.from(key)]).toString("base64url");
}

/**
 * The key that a page token goes on after.
 *
 * A token is checked so that one of another list, or a mistyped one, is refused rather than taken for a place in this
 * list. It guards against mistakes only: whoever may list rows may as well know their keys.
 *
 * @throws ConnectError INVALID_ARGUMENT if it is no token of this entity
 */
export function parsePageToken(entity: string, token: string): string {
  const bytes = Buffer.from(token, "base64url");
  const key = bytes.subarray(CHECK_BYTES).toString();
  // Compares the token itself, so that no second spelling of it is accepted.
  if (pageToken(entity, key) !== token) {
    throw new ConnectError(
      "page_token is none that this list gave out: send the next_page_token of the page before, or leave it empty",
      Code.InvalidArgument,
    );
  }
  return key;
}

function check(entity: string, key: string): Buffer {
  return createHash("sha256").update(`page\0${entity}\0${key}`).digest().subarray(0, CHECK_BYTES);
}
