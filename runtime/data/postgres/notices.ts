import { randomBytes } from "node:crypto";
import { type SQL, sql } from "drizzle-orm";

/** The channel on which a service's instances tell each other what they write. */
export const CHANNEL = "scaffold_cache";

/** The longest key, in UTF-16 units, of a row that is cached: a notice has room for 8,000 bytes (NOTIFY, PostgreSQL). */
const LONGEST_KEY = 1000;

/** Rows of one table that must leave every cache. */
export interface Notice {
  /** Who wrote it. */
  readonly instance: string;
  readonly table: string;
  readonly key: string;
}

/** Names this process among the instances of a service. */
export function instanceName(): string {
  return randomBytes(9).toString("base64url");
}

/** Whether a row with this key can be announced, and so cached. */
export function isCacheable(key: string): boolean {
  return key.length <= LONGEST_KEY;
}

/**
 * Announces a write. Said inside the statement that writes, so that the database tells it if, and only if, the write is
 * committed, also when this process is gone by then.
 */
export function announce(notice: Notice): SQL {
  return sql`pg_notify(${CHANNEL}, ${payload(notice)})`;
}

/** The same, and leaves a line in `scaffold_invalidations`, whose id it answers. */
export function record(notice: Notice): SQL {
  return sql`scaffold_invalidate(${CHANNEL}, ${payload(notice)}, ${notice.table}, ${notice.key})`;
}

function payload({ instance, table, key }: Notice): string {
  return JSON.stringify([instance, table, key]);
}

/** The notice that a payload holds; undefined if it is none of ours. */
export function parseNotice(payload: string): Notice | undefined {
  try {
    const [instance, table, key] = JSON.parse(payload) as unknown[];
    if (typeof instance !== "string" || typeof table !== "string" || typeof key !== "string") return undefined;
    return { instance, table, key };
  } catch {
    return undefined;
  }
}
