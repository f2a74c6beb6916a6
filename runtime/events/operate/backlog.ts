import { connected } from "./database.js";

/** What a group has taken over from one topic, and not handled. */
export interface Backlog {
  /** Events that wait for a try, or behind one that does, or behind a dead letter. */
  readonly waiting: number;
  readonly deadLetters: number;
  /** When the oldest of those that wait was published; null if none waits. */
  readonly oldest: Date | null;
}

/** What a group has not handled, by topic; topics of which it has handled all are left out. */
export function readBacklog(url: string, group: string): Promise<ReadonlyMap<string, Backlog>> {
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
    const backlog = new Map<string, Backlog>();
    for (const { topic, waiting: count, oldest } of waiting.rows) {
      const time = new Date(oldest ?? Number.NaN);
      backlog.set(topic, { waiting: count, deadLetters: 0, oldest: Number.isNaN(time.getTime()) ? null : time });
    }
    for (const { topic, deadLetters } of dead.rows) {
      backlog.set(topic, { ...(backlog.get(topic) ?? { waiting: 0, oldest: null }), deadLetters });
    }
    return backlog;
  });
}
