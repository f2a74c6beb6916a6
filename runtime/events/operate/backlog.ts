import { connected } from "./database.js";

/** What of one topic a group has not handled. */
export interface EventBacklog {
  /** Events that wait for a try, or behind one that does, or behind a dead letter. */
  readonly waiting: number;
  readonly deadLetters: number;
  /** Events that never reached it, and are not on their way. */
  readonly missing: number;
  /** When the oldest of those that wait was published; null if none waits. */
  readonly oldest: Date | null;
}

/** What a group has not handled, by topic; topics of which it has handled all are left out. */
export function readBacklog(url: string, group: string): Promise<ReadonlyMap<string, EventBacklog>> {
  return connected(url, async ({ query }) => {
    const waiting = await query(
      `SELECT "topic", count(*)::integer AS "waiting", min("attributes"->>'time') AS "oldest"
       FROM "scaffold_waiting" WHERE "group" = $1 GROUP BY "topic"`,
      [group],
    );
    const dead = await query(
      `SELECT "topic", count(*)::integer AS "deadLetters" FROM "scaffold_dead_letters" WHERE "group" = $1 GROUP BY "topic"`,
      [group],
    );
    const missing = await query(
      `SELECT "topic", sum(upper("run") - lower("run"))::text AS "missing"
       FROM "scaffold_missing", unnest("numbers") AS "run" WHERE "group" = $1 GROUP BY "topic"`,
      [group],
    );
    const none: EventBacklog = { waiting: 0, deadLetters: 0, missing: 0, oldest: null };
    const backlog = new Map<string, EventBacklog>();
    for (const { topic, waiting: count, oldest } of waiting.rows) {
      const time = new Date(oldest ?? Number.NaN);
      backlog.set(topic, { ...none, waiting: count, oldest: Number.isNaN(time.getTime()) ? null : time });
    }
    for (const { topic, deadLetters } of dead.rows) {
      backlog.set(topic, { ...(backlog.get(topic) ?? none), deadLetters });
    }
    for (const { topic, missing: count } of missing.rows) {
      backlog.set(topic, { ...(backlog.get(topic) ?? none), missing: Number(count) });
    }
    return backlog;
  });
}

/** Which events of a topic never reached a group. */
export interface MissingNumbers {
  /** As PostgreSQL's multirange: {[3,5),[8,9)}. */
  readonly numbers: string;
  readonly count: number;
}

/** What a group misses of one source's events of a topic; undefined: nothing that it knows of. */
export function readMissing(
  url: string,
  { group, source, topic }: { readonly group: string; readonly source: string; readonly topic: string },
): Promise<MissingNumbers | undefined> {
  return connected(url, async ({ query }) => {
    const { rows } = await query(
      `SELECT range_agg("run")::text AS "numbers", sum(upper("run") - lower("run"))::text AS "count"
       FROM "scaffold_missing", unnest("numbers") AS "run" WHERE "group" = $1 AND "source" = $2 AND "topic" = $3`,
      [group, source, topic],
    );
    const [{ numbers, count }] = rows;
    return numbers === null ? undefined : { numbers, count: Number(count) };
  });
}
