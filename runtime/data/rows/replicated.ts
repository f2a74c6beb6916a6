import type { DescMessage, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { activeCall } from "../../call/active-call.js";
import { isOutage } from "../postgres/errors.js";
import type { Page, PageRequest, Precondition, SoftRepository } from "./repository.js";
import { notFound, pick, type Rows } from "./rows.js";

/** Returns the cache's current entry; the inner undefined stands for a missing row. */
export type Known<T> = { readonly value: T | undefined } | undefined;

/**
 * The rows of one entity, read from replicas by calls whose methods allow stale reads. Other calls, and all calls while no replica
 * responds, read from the primary.
 *
 * A fresh cache entry is at least as new as a replica, so the cache comes first. Rows from a replica are never cached: a notice may have
 * just invalidated them.
 */
export class ReplicatedRows<D extends DescMessage> implements SoftRepository<D, string, Record<string, unknown>> {
  readonly #schema: D;
  readonly #primary: SoftRepository<D, string, Record<string, unknown>>;
  readonly #replica: Rows<D>;
  readonly #known: (key: string) => Known<MessageShape<D>>;

  constructor(
    schema: D,
    primary: SoftRepository<D, string, Record<string, unknown>>,
    replica: Rows<D>,
    known: (key: string) => Known<MessageShape<D>> = () => undefined,
  ) {
    this.#schema = schema;
    this.#primary = primary;
    this.#replica = replica;
    this.#known = known;
  }

  async get(key: string): Promise<MessageShape<D>> {
    const row = await this.find(key);
    if (row === undefined) throw notFound(this.#schema, [key]);
    return row;
  }

  find(key: string): Promise<MessageShape<D> | undefined> {
    return this.#read(
      async () => (this.#known(key) ?? { value: await this.#replica.find(key) }).value,
      () => this.#primary.find(key),
    );
  }

  findBy(unique: Record<string, unknown>): Promise<MessageShape<D> | undefined> {
    return this.#read(
      () => this.#replica.findBy(unique),
      () => this.#primary.findBy(unique),
    );
  }

  batchGet(keys: readonly string[]): Promise<MessageShape<D>[]> {
    return this.#read(
      async () => {
        const known = new Map(keys.map((key) => [key, this.#known(key)]));
        const found = await this.#replica.findAll(keys.filter((key) => known.get(key) === undefined));
        for (const [key, row] of known) if (row?.value !== undefined) found.set(key, row.value);
        return pick(this.#schema, keys, found);
      },
      () => this.#primary.batchGet(keys),
    );
  }

  list(request?: PageRequest): Promise<Page<MessageShape<D>>> {
    return this.#read(
      () => this.#replica.list(request),
      () => this.#primary.list(request),
    );
  }

  async *all(): AsyncIterable<MessageShape<D>> {
    if (activeCall()?.replicas !== true) return yield* this.#primary.all();
    let some = false;
    try {
      for await (const row of this.#replica.all()) {
        some = true;
        yield row;
      }
    } catch (error) {
      // Rows that were already yielded cannot be taken back.
      if (some || !isOutage(error)) throw error;
      yield* this.#primary.all();
    }
  }

  create(init: MessageInitShape<D>): Promise<MessageShape<D>> {
    return this.#primary.create(init);
  }

  update(key: string, change: MessageInitShape<D>): Promise<MessageShape<D>> {
    return this.#primary.update(key, change);
  }

  delete(key: string, precondition?: Precondition): Promise<MessageShape<D>> {
    return this.#primary.delete(key, precondition);
  }

  undelete(key: string, precondition?: Precondition): Promise<MessageShape<D>> {
    return this.#primary.undelete(key, precondition);
  }

  async #read<T>(replica: () => Promise<T>, primary: () => Promise<T>): Promise<T> {
    if (activeCall()?.replicas !== true) return primary();
    try {
      return await replica();
    } catch (error) {
      if (!isOutage(error)) throw error;
      return primary();
    }
  }
}
