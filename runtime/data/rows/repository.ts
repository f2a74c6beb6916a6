import type { DescMessage, MessageInitShape, MessageShape } from "@bufbuild/protobuf";

/** One page of a list. */
export interface Page<T> {
  readonly items: T[];
  /** Opaque; empty on the last page. */
  readonly nextPageToken: string;
}

/** The options of a list (AIP-158). */
export interface PageRequest {
  /**
   * The maximum number of rows. 0 or absent: 50. Values above 1,000 are reduced to 1,000; negative values are INVALID_ARGUMENT. A page
   * ends early before its rows exceed 3 MiB together; a single row may have any size.
   */
  readonly pageSize?: number;
  /** `nextPageToken` of the previous page; empty or absent for the first page. An invalid token is INVALID_ARGUMENT. */
  readonly pageToken?: string;
  /**
   * The filter (AIP-160): comparisons joined by AND, `customer_id = "ada" AND create_time >= "2026-01-01T00:00:00Z"`, of the key and of
   * indexed fields. Anything else is INVALID_ARGUMENT. Empty or absent: all rows.
   */
  readonly filter?: string;
  /** The order (AIP-132): `create_time desc, id`, of the same fields; default: by key. Unset fields sort last, or first if descending. */
  readonly orderBy?: string;
  /** Whether to include soft-deleted rows (AIP-164). */
  readonly showDeleted?: boolean;
}

/** The precondition of a write. */
export interface Precondition {
  /** The expected etag (AIP-154); a row with another one is ABORTED. Empty or absent: any. */
  readonly etag?: string;
}

/**
 * Reads and writes the rows of one entity. Outside a transaction, single rows and pages of lists are read through the cache.
 *
 * @typeParam U the fields of its unique indexes and their types
 */
export interface Repository<D extends DescMessage, K = string, U = never> {
  /** Returns the row with this key; throws NOT_FOUND if it does not exist. */
  get(key: K): Promise<MessageShape<D>>;
  /** Returns the row with this key, or undefined. */
  find(key: K): Promise<MessageShape<D> | undefined>;
  /** Returns the row with these values in exactly the fields of one unique index, or undefined. */
  findBy(unique: U): Promise<MessageShape<D> | undefined>;
  /** Returns a row for each key, in order; throws NOT_FOUND with the missing keys (AIP-231). One query at most; RESOURCE_EXHAUSTED above 16 MiB. */
  batchGet(keys: readonly K[]): Promise<MessageShape<D>[]>;
  /** Returns a page of rows, ordered by key unless the options say otherwise. */
  list(request?: PageRequest): Promise<Page<MessageShape<D>>>;
  /** Yields every row, ordered by key; pages are fetched as the consumer proceeds. */
  all(): AsyncIterable<MessageShape<D>>;
  /** Inserts a row. An empty string key is replaced by a new UUIDv7. Throws ALREADY_EXISTS if the key or a unique value is taken. */
  create(init: MessageInitShape<D>): Promise<MessageShape<D>>;
  /**
   * Updates the fields that `change` has, and no others; throws NOT_FOUND if the row does not exist. An etag in `change` is a
   * precondition: throws ABORTED if the row has another one.
   */
  update(key: K, change: MessageInitShape<D>): Promise<MessageShape<D>>;
  /** Deletes a row, and returns it; throws NOT_FOUND if it does not exist. An entity with `delete_time` is soft-deleted. */
  delete(key: K, precondition?: Precondition): Promise<MessageShape<D>>;
}

/** A repository with soft delete (AIP-164): methods other than `list` do not return deleted rows. */
export interface SoftRepository<D extends DescMessage, K = string, U = never> extends Repository<D, K, U> {
  /** Restores a soft-deleted row; throws NOT_FOUND if it does not exist, ALREADY_EXISTS if it is not deleted. */
  undelete(key: K, precondition?: Precondition): Promise<MessageShape<D>>;
}

/** A repository inside a transaction: it bypasses the cache, and rows that it writes are invalidated after the commit. */
export interface TransactionRepository<D extends DescMessage, K = string, U = never> extends Repository<D, K, U> {
  /** Returns the row with this key, locked (FOR UPDATE) until the transaction ends; throws NOT_FOUND if it does not exist. */
  lock(key: K): Promise<MessageShape<D>>;
}
