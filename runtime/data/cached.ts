import type { DescMessage, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import type { Outcome, ReadThrough } from "../cache/read-through.js";
import { activeTiming } from "../observe/timing.js";
import { activeCall } from "../rpc/active-call.js";
import type { Entity } from "./entity.js";
import { isOutage } from "./errors.js";
import { isCacheable } from "./notices.js";
import type { Page, PageRequest, Precondition, SoftRepository } from "./repository.js";
import { notFound, pick, type Rows } from "./rows.js";

/** The rows of one entity: single ones are read through a cache. What is written leaves it by the rows' observer. */
export class CachedRows<D extends DescMessage> implements SoftRepository<D> {
  readonly #schema: D;
  readonly #key: string;
  readonly #rows: Rows<D>;
  readonly #cache: ReadThrough<MessageShape<D>>;
  readonly #doubt: (key: string) => void;
  readonly #span: string;

  /**
   * @param doubt is told the key of each row that may have been written or not
   * @param span what timings call a look into the cache
   */
  constructor(
    entity: Entity<D>,
    rows: Rows<D>,
    cache: ReadThrough<MessageShape<D>>,
    doubt: (key: string) => void,
    span: string,
  ) {
    this.#schema = entity.schema;
    this.#key = entity.key;
    this.#rows = rows;
    this.#cache = cache;
    this.#doubt = doubt;
    this.#span = span;
  }

  async get(key: string): Promise<MessageShape<D>> {
    // Whoever measures the call wants to be told of the hit.
    const hit = activeTiming() === undefined ? this.#cache.hit(key) : undefined;
    if (hit !== undefined) return hit;
    const row = await this.find(key);
    if (row === undefined) throw notFound(this.#schema, [key]);
    return row;
  }

  find(key: string): Promise<MessageShape<D> | undefined> {
    if (!isCacheable(key)) return this.#rows.find(key);
    const end = activeTiming()?.start(this.#span);
    return this.#cache.read(
      key,
      () => this.#rows.find(key),
      (outcome, ageMs) => {
        end?.(outcome);
        if (outcome === "stale") activeCall()?.stale(ageMs);
      },
    );
  }

  async batchGet(keys: readonly string[]): Promise<MessageShape<D>[]> {
    const load = this.#together();
    const end = activeTiming()?.start(this.#span);
    const outcomes = new Map<string, Outcome>();
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
    const reads = [...new Set(keys)].map(async (key) => {
      if (isCacheable(key)) return read(key);
      const row = await load(key);
      if (row !== undefined) found.set(key, row);
    });
    end?.(tally(outcomes));
    await Promise.all(reads);
    // Only now is it known what was stale.
    if ([...outcomes.values()].includes("stale")) end?.(tally(outcomes));
    return pick(this.#schema, keys, found);
  }

  /** Loads rows whose keys are asked for at the same time by one query. */
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

  list(request?: PageRequest): Promise<Page<MessageShape<D>>> {
    return this.#rows.list(request);
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
      // It may have happened all the same.
      if (isOutage(error)) this.#doubt(key);
      throw error;
    }
  }
}

/** `hit 2, miss 1`. */
function tally(outcomes: ReadonlyMap<string, Outcome>): string {
  const counts = (["hit", "miss", "stale"] as const).map((outcome) => {
    const count = [...outcomes.values()].filter((value) => value === outcome).length;
    return count === 0 ? [] : [`${outcome} ${count}`];
  });
  return counts.flat().join(", ");
}
