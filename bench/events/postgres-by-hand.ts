import pg from "pg";
import type { HandBroker, HandMessage } from "./by-hand.js";

/** A table that is a queue: inserted into, and read on from where one was. */
export async function postgresByHand(url: string): Promise<HandBroker> {
  const [sender, receiver] = [new pg.Client({ connectionString: url }), new pg.Client({ connectionString: url })];
  await Promise.all([sender.connect(), receiver.connect()]);
  await sender.query(`
    CREATE TABLE IF NOT EXISTS "hand_log" ("n" bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, "id" text, "number" bigint, "key" text, "text" text);
    CREATE TABLE IF NOT EXISTS "hand_place" ("n" bigint); TRUNCATE "hand_log", "hand_place"; INSERT INTO "hand_place" VALUES (0)`);
  let closed = false;
  let wake: () => void = () => undefined;
  let consuming: Promise<void> = Promise.resolve();
  return {
    async send(messages) {
      await sender.query(
        `INSERT INTO "hand_log" ("id", "number", "key", "text") SELECT * FROM unnest($1::text[], $2::bigint[], $3::text[], $4::text[])`,
        [
          messages.map(({ id }) => id),
          messages.map(({ number }) => number),
          messages.map(({ key }) => key),
          messages.map(({ text }) => text),
        ],
      );
      wake();
    },
    async consume(handle) {
      consuming = (async () => {
        let at = "0";
        while (!closed) {
          const { rows } = await receiver.query<HandMessage & { n: string }>(
            `SELECT "n", "id", "number", "key", "text" FROM "hand_log" WHERE "n" > $1 ORDER BY "n" LIMIT 100`,
            [at],
          );
          if (rows.length === 0) {
            await new Promise<void>((resolve) => {
              wake = resolve;
              setTimeout(resolve, 100);
            });
            continue;
          }
          await handle(rows);
          at = rows.at(-1)?.n ?? at;
          await receiver.query(`UPDATE "hand_place" SET "n" = $1`, [at]);
        }
      })();
    },
    async close() {
      closed = true;
      wake();
      await consuming;
      await Promise.all([sender.end(), receiver.end()]);
    },
  };
}
