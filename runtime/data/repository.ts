import type { DescMessage, MessageInitShape, MessageShape } from "@bufbuild/protobuf";

/** One page of a list, and where to go on. */
export interface Page<T> {
  readonly items: T[];
  /** Opaque; empty on the last page. */
  readonly nextPageToken: string;
}

/** What a list is asked for (AIP-158). */
export interface PageRequest {
  /** How many at most. 0 or absent: 50. More than 1,000 is taken as 1,000; less than 0 is INVALID_ARGUMENT. */
  readonly pageSize?: number;
  /** `nextPageToken` of the page before; empty or absent for the first. A forged one is INVALID_ARGUMENT. */
  readonly pageToken?: string;
}

/** Reads and writes the rows of one entity. Outside a transaction, single rows are read through the cache. */
export interface Repository<D extends DescMessage, K = string> {
  /** The row with this key; NOT_FOUND if there is none. */
  get(key: K): Promise<MessageShape<D>>;
  /** The row with this key, or undefined. */
  find(key: K): Promise<MessageShape<D> | undefined>;
  /** One row for each key, in their order; NOT_FOUND, naming the keys, if any is missing (AIP-231). One query at most. */
  batchGet(keys: readonly K[]): Promise<MessageShape<D>[]>;
  /** A page of rows, ordered by key. */
  list(request?: PageRequest): Promise<Page<MessageShape<D>>>;
  /** Every row, ordered by key, fetched a page at a time as the consumer goes on. */
  all(): AsyncIterable<MessageShape<D>>;
  /** Adds a row. An empty string key is given a new UUIDv7. ALREADY_EXISTS if the key, or a unique index, is taken. */
  create(init: MessageInitShape<D>): Promise<MessageShape<D>>;
  /** Changes the fields that `change` has, and no others; NOT_FOUND if the row does not exist. */
  update(key: K, change: MessageInitShape<D>): Promise<MessageShape<D>>;
  /** Removes a row; NOT_FOUND if there is none. */
  delete(key: K): Promise<void>;
}

/** A repository inside a transaction: it bypasses the cache, and what it writes leaves the cache after the commit. */
export interface TransactionRepository<D extends DescMessage, K = string> extends Repository<D, K> {
  /** The row with this key, locked against other writers until the transaction ends; NOT_FOUND if there is none. */
  lock(key: K): Promise<MessageShape<D>>;
}
