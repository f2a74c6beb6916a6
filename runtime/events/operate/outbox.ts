import pg from "pg";
import { translated, unavailable } from "../../data/postgres/errors.js";
import type { EventRecord } from "../record.js";
import { connected } from "./database.js";

/** Where in an outbox: at a position, or at the first event from a time on. */
export interface Point {
  readonly position?: string;
  readonly time?: Date;
}

/** An event as it was published. */
export interface Published extends EventRecord {
  readonly position: string;
  readonly time: Date;
}

/** What a service publishes, to be read along. */
export interface OutboxReader {
  /** The position before a point; before all that is new, if it is not given. */
  before(point?: Point): Promise<string>;
  /** Events of some topics after a position, in order, and how far that is. */
  read(after: string, topics: readonly string[], limit: number): Promise<{ events: Published[]; at: string }>;
  close(): Promise<void>;
}

/** Opens a service's outbox, to read what its relay has taken up. */
export function openOutbox(url: string): OutboxReader {
  const pool = new pg.Pool({
    connectionString: url,
    application_name: "scaffold events",
    max: 1,
    connectionTimeoutMillis: 5000,
  });
  pool.on("error", () => undefined);
  const query = (text: string, values: readonly unknown[] = []) =>
    translated(() =>
      pool.query(text, [...values]).catch((error: unknown) => {
        if (error instanceof pg.DatabaseError) throw error;
        throw unavailable(
          `no database answers at ${new URL(url).host}: start it, or check its address`,
          error as Error,
        );
      }),
    );
  const last = async (): Promise<string> => (await query(`SELECT "last" FROM "scaffold_relay"`)).rows[0].last;

  return {
    async before(point) {
      if (point === undefined) return last();
      if (point.position !== undefined) return String(BigInt(point.position) - 1n);
      const { rows } = await query(
        `SELECT coalesce(min("position") - 1, (SELECT "last" FROM "scaffold_relay")) AS "before" FROM "scaffold_outbox"
         WHERE "position" IS NOT NULL AND "created_at" >= $1`,
        [point.time],
      );
      return rows[0].before;
    },
    async read(after, topics, limit) {
      // Positions are given in their order, so all up to the last one are there.
      const end = await last();
      const { rows } = await query(
        `SELECT "position", "topic", "key", "attributes", "payload", "created_at" AS "time" FROM "scaffold_outbox"
         WHERE "position" > $1 AND "position" <= $2 AND "topic" = ANY ($3) ORDER BY "position" LIMIT $4`,
        [after, end, topics, limit],
      );
      return { events: rows, at: rows.length === limit ? rows.at(-1)!.position : end };
    },
    close: () => pool.end(),
  };
}

/** How much a service has published that the broker does not have, and since when. */
export function outboxDepth(url: string): Promise<{ depth: number; oldest: Date | null }> {
  return connected(url, async ({ query }) => {
    const { rows } = await query(
      `SELECT count(*)::integer AS "depth", min("created_at") AS "oldest" FROM "scaffold_outbox"
       WHERE "position" IS NULL OR "position" > (SELECT "sent" FROM "scaffold_relay")`,
    );
    return rows[0];
  });
}
