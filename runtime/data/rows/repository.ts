import type { DescMessage, MessageInitShape, MessageShape } from "@bufbuild/protobuf";

/** One page of a list, and where to go on. */
export interface Page<T> {
  readonly items: T[];
  /** Opaque; empty on the last page. */
  readonly nextPageToken: string;
}

/** What a list is asked for (AIP-158). */
export interface PageRequest {
  /**
   * How many at most. 0 or absent: 50. More than 1,000 is taken as 1,000; less than 0 is INVALID_ARGUMENT. Before its rows have
   * more than 3 MiB together a page ends sooner; a single row of any size is a page.
   */
  readonly pageSize?: number;
  /** `nextPageToken` of the page before; empty or absent for the first. A forged one is INVALID_ARGUMENT. */
  readonly pageToken?: string;
  /**
   * Which rows (AIP-160): comparisons joined by AND, `customer_id = "ada" AND create_time >= "2026-01-01T00:00:00Z"`, of
   * the key and of fields that an index of the entity covers. Anything else is INVALID_ARGUMENT. Empty or absent: all.
   */
  readonly filter?: string;
  /** In which order (AIP-132): `create_time desc, id`, of the same fields. What is not set comes last, in descending order first. Empty or absent: by key. */
  readonly orderBy?: string;
  /** Whether rows that are deleted, and kept all the same, are among them (AIP-164). */
  readonly showDeleted?: boolean;
}

/** What must hold of a row before it is written. */
export interface Precondition {
  /** The etag that it has (AIP-154); ABORTED if it has another. Empty or absent: whichever. */
  readonly etag?: string;
}

/**
 * Reads and writes the rows of one entity. Outside a transaction, single rows and pages of lists are read through the cache.
 *
 * @typeParam U the fields of its unique indexes, with their values
 */
export interface Repository<D extends DescMessage, K = string, U = never> {
  /** The row with this key; NOT_FOUND if there is none. */
  get(key: K): Promise<MessageShape<D>>;
  /** The row with this key, or undefined. */
  find(key: K): Promise<MessageShape<D> | undefined>;
  /** The row that has these values in the fields of a unique index, all of them and no others; undefined if there is none. */
  findBy(unique: U): Promise<MessageShape<D> | undefined>;
  /** One row for each key, in their order; NOT_FOUND, naming the keys, if any is missing (AIP-231). One query at most; RESOURCE_EXHAUSTED above 16 MiB. */
  batchGet(keys: readonly K[]): Promise<MessageShape<D>[]>;
  /** A page of rows, ordered by key. */
  list(request?: PageRequest): Promise<Page<MessageShape<D>>>;
  /** Every row, ordered by key, fetched a page at a time as the consumer goes on. */
  all(): AsyncIterable<MessageShape<D>>;
  /** Adds a row. An empty string key is given a new UUIDv7. ALREADY_EXISTS if the key, or a unique index, is taken. */
  create(init: MessageInitShape<D>): Promise<MessageShape<D>>;
  /**
   * Changes the fields that `change` has, and no others; NOT_FOUND if the row does not exist. An etag in it is not
   * written: the row must have it, or the answer is ABORTED.
   */
  update(key: K, change: MessageInitShape<D>): Promise<MessageShape<D>>;
  /** Removes a row, and answers what it was; NOT_FOUND if there is none. With `delete_time` it is kept, and has that set. */
  delete(key: K, precondition?: Precondition): Promise<MessageShape<D>>;
}

/** Of rows that are kept when they are deleted (AIP-164): other methods than `list` do not find them then. */
export interface SoftRepository<D extends DescMessage, K = string, U = never> extends Repository<D, K, U> {
  /** Brings a deleted row back; NOT_FOUND if there is none, ALREADY_EXISTS if it is not deleted. */
  undelete(key: K, precondition?: Precondition): Promise<MessageShape<D>>;
}

/** A repository inside a transaction: it bypasses the cache, and what it writes leaves the cache after the commit. */
export interface TransactionRepository<D extends DescMessage, K = string, U = never> extends Repository<D, K, U> {
  /** The row with this key, locked against other writers until the transaction ends; NOT_FOUND if there is none. */
  lock(key: K): Promise<MessageShape<D>>;
}
