import pg from "pg";
import { Cancellation } from "./cancellation.js";

/** A statement of which only so much is read: see `BoundedQuery`. */
export interface Bounded {
  readonly maxBytes?: number | undefined;
}

/** So many times the bound is read in vain before the server is asked to stop. */
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
 * A statement that keeps rows up to a number of bytes together, as they come from the server, and one row at least. If there are
 * more, a row of NULLs stands for them at the end, and they are not kept.
 */
export class BoundedQuery extends pg.Query {
  readonly #maxBytes: number;
  readonly #flooded: (() => void) | undefined;
  #bytes = 0;
  #isCut = false;

  /** @param flooded is told once when far more comes than is kept; the statement may then be cancelled */
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
    // What was to be read has been.
    if (this.#isCut && error.code === "57014") callback(null, _results);
    else base.handleError.call(this, error, connection);
  }
}

/** Runs a statement outside of a transaction. If far more rows come than are kept, the server is asked to stop. */
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

/** Has a prepared statement of Drizzle keep no more than so many bytes of rows. */
export function keepAtMost<P extends object>(prepared: P, maxBytes: number): P {
  Object.assign((prepared as unknown as { readonly queryConfig: object }).queryConfig, { maxBytes });
  return prepared;
}
