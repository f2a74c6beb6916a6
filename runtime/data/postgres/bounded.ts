import pg from "pg";
import { Cancellation } from "./cancellation.js";

/** Options of a bounded statement: see `BoundedQuery`. */
export interface Bounded {
  readonly maxBytes?: number | undefined;
}

/** How many times the limit may be read in excess before the statement is cancelled. */
const PATIENCE = 4;

interface DataRow {
  readonly length: number;
  readonly fields: readonly unknown[];
}
interface Internals {
  handleDataRow(message: DataRow): void;
  handleError(error: Error & { code?: string }, connection: unknown): void;
}
const base = pg.Query.prototype as unknown as Internals;

/**
 * A query that keeps rows as they arrive up to a number of bytes, and at least one row. If there are more, they are discarded, and a row
 * of NULLs at the end marks that.
 */
export class BoundedQuery extends pg.Query {
  readonly #maxBytes: number;
  readonly #flooded: (() => void) | undefined;
  #bytes = 0;
  #isCut = false;

  /** @param flooded called once when far more arrives than is kept; the statement may then be cancelled */
  constructor(config: string | pg.QueryConfig, values: unknown[] | undefined, maxBytes: number, flooded?: () => void) {
    super(config as string, values as never);
    this.#maxBytes = maxBytes;
    this.#flooded = flooded;
  }

  handleDataRow(message: DataRow): void {
    const before = this.#bytes;
    this.#bytes += message.length;
    if (!this.#isCut && (before === 0 || this.#bytes <= this.#maxBytes)) {
      base.handleDataRow.call(this, message);
      return;
    }
    if (!this.#isCut) base.handleDataRow.call(this, { length: 0, fields: message.fields.map(() => null) });
    this.#isCut = true;
    const flood = PATIENCE * this.#maxBytes;
    if (before <= flood && this.#bytes > flood) this.#flooded?.();
  }

  handleError(error: Error & { code?: string }, connection: unknown): void {
    const { callback, _results } = this as unknown as {
      callback: (error: null, result: unknown) => void;
      _results: unknown;
    };
    // The rows within the limit have arrived.
    if (this.#isCut && error.code === "57014") callback(null, _results);
    else base.handleError.call(this, error, connection);
  }
}

/** Runs a statement outside a transaction. It is cancelled if far more rows arrive than are kept. */
export async function queryBounded(
  client: pg.ClientBase,
  config: pg.QueryArrayConfig & Bounded,
  values: unknown[],
): Promise<pg.QueryArrayResult> {
  const { maxBytes } = config;
  if (maxBytes === undefined) return client.query(config, values);
  let cancellation: Cancellation | undefined;
  try {
    return await new Promise((resolve, reject) => {
      const query = new BoundedQuery(config, values, maxBytes, () => {
        cancellation = new Cancellation(client);
      });
      Object.assign(query, {
        callback: (error: Error | null, result: pg.QueryArrayResult) => (error ? reject(error) : resolve(result)),
      });
      client.query(query);
    });
  } finally {
    await cancellation?.settled();
  }
}

/** Limits the size of a prepared Drizzle statement's rows. */
export function keepAtMost<P extends object>(prepared: P, maxBytes: number): P {
  Object.assign((prepared as unknown as { readonly queryConfig: object }).queryConfig, { maxBytes });
  return prepared;
}
