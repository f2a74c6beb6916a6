import { randomBytes } from "node:crypto";
import { type SQL, sql } from "drizzle-orm";

/** The channel on which a service's instances announce writes. */
export const CHANNEL = "scaffold_cache";

/** The maximum key length, in UTF-16 units, of a cached row: NOTIFY has a limit of 8,000 bytes. */
const LONGEST_KEY = 1000;

/** Rows of one table to invalidate in every cache. */
export interface Notice {
  /** The instance that wrote them. */
  readonly instance: string;
  readonly table: string;
  readonly key: string;
}

/** Identifies this process among the instances of a service. */
export function instanceName(): string {
  return randomBytes(9).toString("base64url");
}

/** Returns whether a row with this key can be announced, and therefore cached. */
export function isCacheable(key: string): boolean {
  return key.length <= LONGEST_KEY;
}

/**
 * Announces a write. It is part of the writing statement, so the notice is sent if, and only if, the write is committed, even if this
 * process has died by then.
 */
export function announce(notice: Notice): SQL {
  return sql`pg_notify(${CHANNEL}, ${payload(notice)})`;
}

/** Does the same, and inserts a row into `scaffold_invalidations`, whose id it returns. */
export function record(notice: Notice): SQL {
  return sql`scaffold_invalidate(${CHANNEL}, ${payload(notice)}, ${notice.table}, ${notice.key})`;
}

function payload({ instance, table, key }: Notice): string {
  return JSON.stringify([instance, table, key]);
}

/** Parses a payload; returns undefined if it is not a notice. */
export function parseNotice(payload: string): Notice | undefined {
  try {
    const [instance, table, key] = JSON.parse(payload) as unknown[];
    if (typeof instance !== "string" || typeof table !== "string" || typeof key !== "string") return undefined;
    return { instance, table, key };
  } catch {
    return undefined;
  }
}
