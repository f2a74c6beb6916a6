import type { DescMessage, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { LRUCache } from "lru-cache";
import type { ReadOutcome, ReadThrough } from "../../cache/read-through.js";
import { activeCall } from "../../call/active-call.js";
import { activeCollectors, startSpan } from "../../observe/span.js";
import type { Entity } from "../../spec/entity.js";
import { isOutage } from "../postgres/errors.js";
import { isCacheable } from "../postgres/notices.js";
import type { Page, PageRequest, Precondition, SoftRepository } from "../rows/repository.js";
import { notFound, pick, type Rows, uniqueFields } from "../rows/rows.js";

type Row = Record<string, unknown>;

/** Larger pages are not cached: they are typically exports, and would evict rows that are read again. */
const LARGEST_PAGE = 100;
/** The maximum number of remembered unique keys. */
const MOST_UNIQUE = 10_000;

/**
 * The cached rows of one entity: single rows and pages of lists are read through caches. The rows' observer invalidates written rows.
 */
export class CachedRows<D extends DescMessage> implements SoftRepository<D, string, Row> {
  readonly #entity: Entity<D>;
  readonly #schema: D;
  readonly #key: string;
  readonly #rows: Rows<D>;
  readonly #cache: ReadThrough<MessageShape<D>>;
  readonly #pages: ReadThrough<Page<MessageShape<D>>>;
  /** The key of the row that a unique key led to. Each read verifies that the row still has the unique key. */
  readonly #unique = new LRUCache<string, string>({ max: MOST_UNIQUE });
  readonly #doubt: (key: string) => void;
  readonly #span: string;

  /**
   * @param doubt called with the key of each row whose write may or may not have been committed
   * @param span the name of the span of a cache lookup
   */
  constructor(
    entity: Entity<D>,
    rows: Rows<D>,
    cache: ReadThrough<MessageShape<D>>,
    pages: ReadThrough<Page<MessageShape<D>>>,
    doubt: (key: string) => void,
    span: string,
  ) {
    this.#entity = entity;
    this.#schema = entity.schema;
    this.#key = entity.key;
    this.#rows = rows;
    this.#cache = cache;
    this.#pages = pages;
    this.#doubt = doubt;
    this.#span = span;
  }

  async get(key: string): Promise<MessageShape<D>> {
    return this.#hit(key) ?? this.#get(key);
  }

  async find(key: string): Promise<MessageShape<D> | undefined> {
    return this.#hit(key) ?? this.#read(key);
  }

  /** The hot path of a read: a cache hit outside of a trace. A traced hit needs a span. */
  #hit(key: string): MessageShape<D> | undefined {
    return activeCollectors() === undefined ? this.#cache.hit(key) : undefined;
  }

  async #get(key: string): Promise<MessageShape<D>> {
    const row = await this.#read(key);
    if (row === undefined) throw notFound(this.#schema, [key]);
    return row;
  }

  #read(key: string): Promise<MessageShape<D> | undefined> {
    if (!isCacheable(key)) return this.#rows.find(key);
    return this.#cache.read(key, () => this.#rows.find(key), this.#tell());
  }

  async findBy(unique: Row): Promise<MessageShape<D> | undefined> {
    const id = print(unique, uniqueFields(this.#entity, unique));
    const known = this.#unique.get(id);
    const row = known === undefined ? undefined : await this.find(known);
    if (row !== undefined && this.#printed(row, unique) === id) return row;
    const found = await this.#rows.findBy(unique);
    if (found !== undefined) this.#unique.set(id, (found as unknown as Record<string, string>)[this.#key]!);
    return found;
  }

  /** Returns a row's values in the fields of a unique key. */
  #printed(row: MessageShape<D>, unique: Row): string {
    return print(this.#entity.toRow(row), uniqueFields(this.#entity, unique));
  }

  /** Measures a cache lookup, and records the age of a stale row. */
  #tell(): (outcome: ReadOutcome, ageMs: number) => void {
    const span = startSpan(this.#span);
    return (outcome, ageMs) => {
      span?.end(outcome);
      if (outcome === "stale") activeCall()?.stale(ageMs);
    };
  }

  async batchGet(keys: readonly string[]): Promise<MessageShape<D>[]> {
    const load = this.#together();
    const span = startSpan(this.#span);
    const outcomes = new Map<string, ReadOutcome>();
    const found = new Map<string, MessageShape<D>>();
    const read = async (key: string) => {
      const row = await this.#cache.read(
        key,
        () => load(key),
        (outcome, ageMs) => {
          outcomes.set(key, outcome);
          if (outcome === "stale") activeCall()?.stale(ageMs);
        },
      );
      if (row !== undefined) found.set(key, row);
    };
    const asked = new Set(keys);
    for (const key of asked) {
      const hit = this.#hit(key);
      if (hit !== undefined) found.set(key, hit);
    }
    const reads = [...asked]
      .filter((key) => !found.has(key))
      .map(async (key) => {
        if (isCacheable(key)) return read(key);
        const row = await load(key);
        if (row !== undefined) found.set(key, row);
      });
    span?.end(tally(outcomes));
    await Promise.all(reads);
    // Stale rows are known only now.
    if ([...outcomes.values()].includes("stale")) span?.end(tally(outcomes));
    return pick(this.#schema, keys, found);
  }

  /** Loads rows whose keys are requested at the same time in one query. */
  #together(): (key: string) => Promise<MessageShape<D> | undefined> {
    let asked: { readonly keys: string[]; readonly rows: Promise<Map<string, MessageShape<D>>> } | undefined;
    return async (key) => {
      const keys = asked?.keys ?? [];
      asked ??= {
        keys,
        rows: Promise.resolve().then(() => {
          asked = undefined;
          return this.#rows.findAll(keys);
        }),
      };
      keys.push(key);
      return (await asked.rows).get(key);
    };
  }

  async list(request: PageRequest = {}): Promise<Page<MessageShape<D>>> {
    const { pageSize = 0, pageToken = "", filter = "", orderBy = "", showDeleted = false } = request;
    if (pageSize > LARGEST_PAGE) return this.#rows.list(request);
    const name = JSON.stringify([pageSize, pageToken, filter, orderBy, showDeleted]);
    // An empty list is a page, too.
    return (await this.#pages.read(name, () => this.#rows.list(request), this.#tell()))!;
  }

  all(): AsyncIterable<MessageShape<D>> {
    return this.#rows.all();
  }

  create(init: MessageInitShape<D>): Promise<MessageShape<D>> {
    const key = (init as Record<string, unknown>)[this.#key];
    return this.#write(typeof key === "string" ? key : "", () => this.#rows.create(init));
  }

  update(key: string, change: MessageInitShape<D>): Promise<MessageShape<D>> {
    return this.#write(key, () => this.#rows.update(key, change));
  }

  delete(key: string, precondition?: Precondition): Promise<MessageShape<D>> {
    return this.#write(key, () => this.#rows.delete(key, precondition));
  }

  undelete(key: string, precondition?: Precondition): Promise<MessageShape<D>> {
    return this.#write(key, () => this.#rows.undelete(key, precondition));
  }

  async #write<T>(key: string, write: () => Promise<T>): Promise<T> {
    try {
      return await write();
    } catch (error) {
      // The write may have been committed all the same.
      if (isOutage(error) || (error !== undefined && error === activeCall()?.cancelled)) this.#doubt(key);
      throw error;
    }
  }
}

/** Returns a key that is equal for equal values. */
function print(row: Row, fields: readonly string[]): string {
  return JSON.stringify([fields, fields.map((name) => row[name])], (_, value: unknown) =>
    typeof value === "bigint" ? `${value}n` : value instanceof Uint8Array ? [...value] : value,
  );
}

/** `hit 2, miss 1`. */
function tally(outcomes: ReadonlyMap<string, ReadOutcome>): string {
  const counts = (["hit", "miss", "stale"] as const).map((outcome) => {
    const count = [...outcomes.values()].filter((value) => value === outcome).length;
    return count === 0 ? [] : [`${outcome} ${count}`];
  });
  return counts.flat().join(", ");
}
