import { randomUUID } from "node:crypto";
import type { DescMessage, MessageInitShape } from "@bufbuild/protobuf";
import { sql } from "drizzle-orm";
import { attributeName } from "../call/propagation.js";
import { createMessage } from "../codec/create.js";
import { LoneSurrogateError } from "../codec/lone-surrogate.js";
import { type Data, type DataOptions, openData, type TransactionScope } from "../data/data.js";
import { connectionOf, type DatabaseTransaction } from "../data/postgres/connection.js";
import type { Database } from "../data/postgres/driver.js";
import type { Repository } from "../data/rows/repository.js";
import { errorFor } from "../errors/error.js";
import type { EventType } from "../spec/event.js";
import { schemaUri } from "./evolution.js";

/** The channel on which those who have published wake the relay. */
export const OUTBOX_CHANNEL = "scaffold_outbox";

/** The largest event, in bytes: what brokers take by default (Kafka's `message.max.bytes`), less room for attributes. */
export const MAX_EVENT_BYTES = 1_000_000 - 16_384;

/** How often the relay in another process is woken, at most, in milliseconds. */
const WAKE_INTERVAL_MS = 5;

const insert = {
  name: "scaffold_outbox",
  text: `INSERT INTO "scaffold_outbox" ("topic", "key", "attributes", "payload") VALUES ($1, $2, $3, $4)`,
};

/** Publishes an event in a transaction. */
export type Publish = <D extends DescMessage>(event: EventType<D>, message: MessageInitShape<D>) => Promise<void>;

/** Where a service's transactions leave what they publish, for its relay to pass on. */
export class Outbox {
  readonly #source: string;
  readonly #db: () => Database;
  #waking: NodeJS.Timeout | undefined;
  /** The relay in this process, if it is the one that works. */
  wake: (() => boolean) | undefined;

  /**
   * @param source the full name of the service that publishes: CloudEvents' `source`
   * @param db the database whose transactions publish
   */
  constructor(source: string, db: () => Database) {
    this.#source = source;
    this.#db = db;
  }

  /** Returns what publishes within a transaction. */
  within(tx: DatabaseTransaction, { trace, afterCommit }: TransactionScope): Publish {
    let hasPublished = false;
    const connection = connectionOf(tx);
    return async (event, init) => {
      const message = createMessage(event.schema, init);
      const payload = event.codec.toBytes(message);
      const name = event.schema.typeName;
      if (payload.length > MAX_EVENT_BYTES) {
        throw errorFor(
          "EVENT_TOO_LARGE",
          `${name} has ${payload.length} bytes, ${MAX_EVENT_BYTES} at most are published: leave out what consumers can ask for`,
        );
      }
      const attributes = {
        specversion: "1.0",
        id: randomUUID(),
        source: this.#source,
        type: name,
        time: new Date().toISOString(),
        datacontenttype: "application/protobuf",
        dataschema: schemaUri(event),
        // Names of attributes have letters and digits only.
        ...Object.fromEntries(Object.entries(trace()).map(([header, value]) => [attributeName(header), value])),
      };
      const key = event.key?.(message) ?? "";
      if (!key.isWellFormed()) throw new LoneSurrogateError(`the key of ${name}`);
      connection.add({ ...insert, values: [event.topic, key, JSON.stringify(attributes), asBuffer(payload)] });
      if (hasPublished) return;
      hasPublished = true;
      afterCommit(() => this.#committed());
    };
  }

  /** Wakes the relay, which would find by itself what was committed, a little later. */
  #committed(): void {
    if (this.wake?.() || this.#waking !== undefined) return;
    // NOTIFY inside the transactions would have all commits wait for each other (PostgreSQL, commands/async.c).
    this.#waking = setTimeout(() => {
      this.#waking = undefined;
      this.#db()
        .execute(sql`SELECT pg_notify(${OUTBOX_CHANNEL}, '')`)
        .catch(() => undefined);
    }, WAKE_INTERVAL_MS).unref();
  }

  close(): void {
    clearTimeout(this.#waking);
  }
}

/** Opens a database whose transactions publish the events of the service `source`. */
export function openPublishing<Entities = Readonly<Record<string, Repository<DescMessage>>>>(
  source: string,
  options: DataOptions,
): { readonly data: Data<Entities>; readonly outbox: Outbox } {
  const outbox = new Outbox(source, () => data.db);
  const data: Data<Entities> = openData<Entities>({
    ...options,
    extend: (tx, scope) => ({ publish: outbox.within(tx, scope) }),
  });
  return { data, outbox };
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
