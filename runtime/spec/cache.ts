import type { Message } from "@bufbuild/protobuf";

/** How rows of one entity are cached in the service that owns them, as the contract says. */
export interface CachePolicy<T extends object = Message> {
  /** How long a row is fresh, in milliseconds. */
  readonly ttlMs: number;
  /** How long after that it may answer while the database does not, in milliseconds. 0: never. */
  readonly staleIfErrorMs: number;
  /** How long after that it still answers at once, while it is loaded anew beside that (RFC 5861). Default: 0, not at all. */
  readonly staleWhileRevalidateMs?: number;
  /** A copy that shares nothing with the row, for whoever is given it may go on to change it. */
  copy(row: T): T;
}
