import { randomUUID } from "node:crypto";
import { productEntity } from "@shop/generated/shop/inventory/v1/inventory_repository.js";
import { drizzle } from "drizzle-orm/node-postgres";
import pg from "pg";
import { Rows } from "../../runtime/data/rows/rows.js";
import type { Parts, Pipeline } from "./pipeline.js";

/** A message as code by hand sends it. */
export interface HandMessage {
  readonly id: string;
  /** Its place among all that are sent: whoever gets some of them can tell which it did not get. */
  readonly number: string;
  readonly key: string;
  readonly text: string;
}

/** A client library, with no more around it than the work needs. */
export interface HandBroker {
  /** Ends once the broker has them safely. */
  send(messages: readonly HandMessage[]): Promise<void>;
  /** Hands out batches, and acknowledges each once `handle` has ended. */
  consume(handle: (messages: readonly HandMessage[]) => Promise<void>): Promise<void>;
  close(): Promise<void>;
}

const tables = `
CREATE TABLE IF NOT EXISTS "hand_outbox" ("n" bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, "id" text NOT NULL, "key" text NOT NULL, "text" text NOT NULL);
CREATE TABLE IF NOT EXISTS "hand_inbox" ("id" text PRIMARY KEY, "topic" text NOT NULL, "number" bigint NOT NULL);
CREATE TABLE IF NOT EXISTS "hand_rows" ("id" uuid PRIMARY KEY DEFAULT gen_random_uuid(), "text" text NOT NULL);`;

/** Writes the row that a transaction is about. */
export type WriteRow = (client: pg.PoolClient, text: string) => Promise<unknown>;

/** By `pg` alone, into a table of two columns. */
export const plainRow: WriteRow = (client, text) =>
  client.query(`INSERT INTO "hand_rows" ("text") VALUES ($1)`, [text]);

/** As ours: by a repository, a product of seven columns and three CHECKs. */
export const repositoryRow: WriteRow = (client, text) =>
  new Rows(productEntity, drizzle({ client })).create({ name: text, priceCents: 1n });

/**
 * The same durable work with `pg` and the broker's client library alone: a row and an outbox row in one transaction; a loop
 * that sends what is in the outbox, and removes it; for each message a row and an inbox row in one transaction.
 */
export async function byHand(
  { producerUrl, consumerUrl, topic }: Parts,
  broker: HandBroker,
  writeRow: WriteRow,
): Promise<Pipeline> {
  const producer = new pg.Pool({ connectionString: producerUrl, max: 10 });
  const consumer = new pg.Pool({ connectionString: consumerUrl, max: 10 });
  const relay = new pg.Client({ connectionString: producerUrl });
  await Promise.all([producer.query(tables), consumer.query(tables), relay.connect()]);
  let closed = false;
  let wake: () => void = () => undefined;
  const relaying = (async () => {
    while (!closed) {
      const { rows } = await relay.query<HandMessage>(
        `SELECT "n" AS "number", "id", "key", "text" FROM "hand_outbox" ORDER BY "n" LIMIT 500`,
      );
      if (rows.length === 0) {
        await new Promise<void>((resolve) => {
          wake = resolve;
          setTimeout(resolve, 100);
        });
        continue;
      }
      await broker.send(rows);
      await relay.query(`DELETE FROM "hand_outbox" WHERE "n" = ANY ($1)`, [rows.map(({ number }) => number)]);
    }
  })();
  const pipeline: Pipeline = {
    async publish(key, text) {
      await within(producer, async (client) => {
        await writeRow(client, text);
        await client.query(`INSERT INTO "hand_outbox" ("id", "key", "text") VALUES ($1, $2, $3)`, [
          randomUUID(),
          key,
          text,
        ]);
      });
      wake();
    },
    handled: () => undefined,
    async close() {
      closed = true;
      wake();
      await relaying;
      await broker.close();
      await Promise.all([relay.end(), producer.end(), consumer.end()]);
    },
  };
  await broker.consume(async (messages) => {
    const byKey = group(messages);
    await Promise.all(
      [...byKey.values()].map(async (list) => {
        for (const { id, number, text } of list) {
          const isNew = await within(consumer, async (client) => {
            const { rowCount } = await client.query(
              `INSERT INTO "hand_inbox" VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`,
              [id, topic, number],
            );
            if (rowCount === 1) await writeRow(client, text);
            return rowCount === 1;
          });
          if (isNew) pipeline.handled(text);
        }
      }),
    );
  });
  return pipeline;
}

function group(messages: readonly HandMessage[]): Map<string, HandMessage[]> {
  const groups = new Map<string, HandMessage[]>();
  for (const message of messages) groups.set(message.key, [...(groups.get(message.key) ?? []), message]);
  return groups;
}

async function within<T>(pool: pg.Pool, body: (client: pg.PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  try {
    await client.query("BEGIN");
    const result = await body(client);
    await client.query("COMMIT");
    return result;
  } catch (error) {
    await client.query("ROLLBACK");
    throw error;
  } finally {
    client.release();
  }
}
