import { setTimeout as sleep } from "node:timers/promises";
import type { CachePolicy } from "../spec/cache.js";
import { now as clock } from "./clock.js";
import type { CacheEntry, Store } from "./memory.js";

/** The outcome of a read: fresh from the cache, loaded from the database, or stale because the database did not respond. */
export type ReadOutcome = "hit" | "miss" | "stale";

/** The state of the subscription to other processes' writes. */
export interface Coherence {
  /** Changes when notices may have been missed, which expires everything loaded before. Undefined while not subscribed. */
  epoch(): number | undefined;
  /** Resolves when the first attempt to subscribe has succeeded or failed. */
  listen(): Promise<void>;
}

/** The result of a load. */
export interface Loaded<T> {
  /** Undefined if the row does not exist. */
  readonly value: T | undefined;
  /** The time for which it is fresh, in milliseconds. */
  readonly freshMs: number;
  /** The maximum time since the database read the row, in milliseconds. */
  readonly ageMs: number;
}

/** The requirements of a load. */
export interface Need<T> {
  /** A row with less time to live than this is not acceptable, in milliseconds. */
  readonly atLeastMs: number;
  /** The maximum time for which a row is fresh, in milliseconds. */
  readonly ttlMs: number;
  /** The time for which a row loaded from the database now is fresh, in milliseconds. */
  freshMs(value: T | undefined): number;
}

/** A tier between this cache and the database. It may serve a load, and stores the rows that it loads. */
export interface Behind<T> {
  read(key: string, load: () => Promise<T | undefined>, need: Need<T>): Promise<Loaded<T>>;
}

export interface ReadThroughOptions<T extends object> {
  readonly store: Store<T>;
  /** Default: the database itself. */
  readonly behind?: Behind<T>;
  /** Default: no other process writes. */
  readonly coherence?: Coherence;
  /** Returns whether an error means that the database did not respond. A missing row is a response. */
  readonly isOutage: (error: unknown) => boolean;
  /** Returns whether an error means that the reader which started a load was cancelled; other readers then retry. Default: none does. */
  readonly isAbandoned?: (error: unknown) => boolean;
  /** The time that a reader with a stale row waits for a new one, in milliseconds. Default 500. */
  readonly patienceMs?: number;
  /** A monotonic clock in milliseconds. */
  readonly now?: () => number;
  /** Returns a random number in [0, 1). */
  readonly random?: () => number;
}

/** A load in flight. */
interface Load<T> {
  promise: Promise<T | undefined>;
  /** Whether a reader has already given up waiting for it. */
  late: boolean;
}

const TOO_LATE = Symbol();
const ALONE: Coherence = { epoch: () => 0, listen: async () => undefined };

/** The maximum jitter as a fraction of a TTL, so that rows which were loaded together do not expire together. */
const JITTER = 0.1;
/** The last fraction of a TTL, in which a read triggers a refresh in the background. */
const RENEWAL = 0.1;
/** The maximum TTL of a missing row, in milliseconds. */
const MISSING_MS = 5000;

/**
 * A read-through cache of one entity's rows.
 *
 * - Concurrent readers of one key share one load. If the reader that started it is cancelled, the others load again.
 * - A row is fresh for its TTL, minus a jitter of up to a tenth; after that it is loaded again. A read in the last tenth of the TTL
 *   triggers a refresh in the background, so that readers of a frequently read row never wait.
 * - For `staleWhileRevalidateMs` after its TTL a row is served at once, and refreshed in the background.
 * - While the database does not respond, a stale row is served for up to `staleIfErrorMs` after its TTL.
 * - A missing row is cached too, for 5 s at most, and never served in place of a database that does not respond.
 * - A load that began before an invalidation neither fills the cache nor serves reads that began after it.
 */
export class ReadThrough<T extends object> {
  readonly #policy: CachePolicy<T>;
  readonly #store: Store<T>;
  readonly #behind: Behind<T>;
  readonly #coherence: Coherence;
  readonly #isOutage: (error: unknown) => boolean;
  readonly #isAbandoned: (error: unknown) => boolean;
  readonly #patienceMs: number;
  readonly #now: () => number;
  readonly #random: () => number;
  /** Loads in flight that may fill the cache. An invalidation removes a load. */
  readonly #loads = new Map<string, Load<T>>();
  /** Counts `suspectAll`. */
  #generation = 0;

  constructor(
    policy: CachePolicy<T>,
    {
      store,
      behind = { read: async (_key, load, need) => withTime(await load(), need) },
      coherence = ALONE,
      isOutage,
      isAbandoned = () => false,
      patienceMs = 500,
      now = clock,
      random = Math.random,
    }: ReadThroughOptions<T>,
  ) {
    this.#policy = policy;
    this.#store = store;
    this.#behind = behind;
    this.#coherence = coherence;
    this.#isOutage = isOutage;
    this.#isAbandoned = isAbandoned;
    this.#patienceMs = patienceMs;
    this.#now = now;
    this.#random = random;
  }

  /**
   * Returns the row with this key, or undefined if `load` finds none.
   *
   * @param outcome called before the row is returned; for a stale row with the milliseconds since it was read
   */
  async read(
    key: string,
    load: () => Promise<T | undefined>,
    outcome: (outcome: ReadOutcome, ageMs: number) => void = () => undefined,
  ): Promise<T | undefined> {
    const entry = this.#store.get(key);
    const now = this.#now();
    if (this.#isFresh(entry, now)) {
      outcome("hit", 0);
      if (now >= entry.renewFrom) this.#renew(key, entry, load);
      return this.#copy(entry.value);
    }
    outcome("miss", 0);
    try {
      return await this.#readAnew(key, entry, load, outcome);
    } catch (error) {
      if (this.#isAbandoned(error)) return this.read(key, load, outcome);
      throw error;
    }
  }

  async #readAnew(
    key: string,
    entry: CacheEntry<T> | undefined,
    load: () => Promise<T | undefined>,
    outcome: (outcome: ReadOutcome, ageMs: number) => void,
  ): Promise<T | undefined> {
    try {
      const value = await this.#inTime(this.#loads.get(key) ?? this.#load(key, load), entry);
      if (value !== TOO_LATE) return this.#copy(value);
    } catch (error) {
      if (!this.#isOutage(error) || !this.#isUsable(this.#store.get(key))) throw error;
    }
    // Look up the row again: if it was invalidated meanwhile, only the database can be trusted.
    const stale = this.#store.get(key);
    if (!this.#isUsable(stale)) return this.#copy(await (this.#loads.get(key) ?? this.#load(key, load)).promise);
    outcome("stale", this.#now() - stale.readAt);
    return this.#copy(stale.value);
  }

  /** Returns the row if it is in the store, fresh, and not yet due for a refresh. This is the hot path. */
  hit(key: string): T | undefined {
    const entry = this.#store.get(key);
    if (entry?.value === undefined) return undefined;
    const now = this.#now();
    if (now >= entry.renewFrom || !this.#isFresh(entry, now)) return undefined;
    return this.#policy.copy(entry.value);
  }

  /** Returns what a read would serve from the store alone, or undefined if it would load the row. */
  peek(key: string): { readonly value: T | undefined } | undefined {
    const entry = this.#store.get(key);
    return this.#isFresh(entry, this.#now()) ? { value: this.#copy(entry.value) } : undefined;
  }

  /** Invalidates a row that was written. */
  invalidate(key: string): void {
    this.#loads.delete(key);
    this.#store.delete(key);
  }

  /** Suspects every row: loads in flight do not serve later reads. */
  suspectAll(): void {
    this.#generation++;
    this.#loads.clear();
  }

  /** Suspects a row that may have been written: it must be loaded again, but may still be served while the database is unavailable. */
  suspect(key: string): void {
    this.#loads.delete(key);
    const entry = this.#store.get(key);
    if (entry?.value === undefined) this.#store.delete(key);
    else this.#store.set(key, { ...entry, freshUntil: this.#now() });
  }

  #copy(value: T | undefined): T | undefined {
    return value === undefined ? undefined : this.#policy.copy(value);
  }

  #load(key: string, run: () => Promise<T | undefined>, atLeastMs = 0): Load<T> {
    const load = { late: false } as Load<T>;
    this.#loads.set(key, load);
    load.promise = (async () => {
      try {
        if (this.#coherence.epoch() === undefined) await this.#coherence.listen();
        // Taken before the row is read: a write that is not noticed after this may be missing from the row.
        const epoch = this.#epoch();
        const begun = this.#now();
        const need = { atLeastMs, ttlMs: this.#policy.ttlMs, freshMs: (value: T | undefined) => this.#freshMs(value) };
        const loaded = await this.#behind.read(key, run, need);
        if (this.#loads.get(key) === load) this.#fill(key, loaded, epoch, begun - loaded.ageMs);
        return loaded.value;
      } finally {
        if (this.#loads.get(key) === load) this.#loads.delete(key);
      }
    })();
    return load;
  }

  /** Refreshes an entry in the background, once: after a failure, readers wait when the entry expires, and not before. */
  #renew(key: string, entry: CacheEntry<T>, run: () => Promise<T | undefined>): void {
    if (this.#loads.has(key)) return;
    this.#store.set(key, { ...entry, renewFrom: entry.freshUntil });
    this.#load(key, run, this.#policy.ttlMs * RENEWAL).promise.catch(() => undefined);
  }

  #freshMs(value: T | undefined): number {
    const { ttlMs } = this.#policy;
    return (value === undefined ? Math.min(ttlMs, MISSING_MS) : ttlMs) * (1 - JITTER * this.#random());
  }

  #fill(key: string, { value, freshMs }: Loaded<T>, epoch: number | undefined, readAt: number): void {
    const { ttlMs, staleIfErrorMs, staleWhileRevalidateMs = 0 } = this.#policy;
    const missing = value === undefined;
    const end = this.#now() + freshMs;
    const freshUntil = missing ? end : end + staleWhileRevalidateMs;
    this.#store.set(key, {
      value,
      readAt,
      // A missing row is not refreshed in advance: it matters more to notice soon that the row was created.
      renewFrom: missing ? end : end - ttlMs * RENEWAL,
      freshUntil,
      epoch,
      staleUntil: missing ? 0 : freshUntil + staleIfErrorMs,
    });
  }

  /**
   * Returns the loaded value. With a stale row at hand, a reader waits for the configured patience at most, because a database can also
   * fail by silence; after the first reader that waited in vain, no further reader waits.
   */
  async #inTime(load: Load<T>, entry: CacheEntry<T> | undefined): Promise<T | undefined | typeof TOO_LATE> {
    if (!this.#isUsable(entry)) return load.promise;
    if (load.late) return TOO_LATE;
    const done = new AbortController();
    const patience = sleep(this.#patienceMs, TOO_LATE, { signal: done.signal }).catch(() => TOO_LATE);
    const first = (await Promise.race([load.promise, patience])) as T | undefined | typeof TOO_LATE;
    done.abort();
    load.late ||= first === TOO_LATE;
    return first;
  }

  #isFresh(entry: CacheEntry<T> | undefined, now: number): entry is CacheEntry<T> {
    if (entry === undefined || now >= entry.freshUntil) return false;
    return entry.epoch !== undefined && entry.epoch === this.#epoch();
  }

  /** Changes when earlier loads must not be trusted any more: both parts only grow. */
  #epoch(): number | undefined {
    const heard = this.#coherence.epoch();
    return heard === undefined ? undefined : heard + this.#generation;
  }

  #isUsable(entry: CacheEntry<T> | undefined): entry is CacheEntry<T> {
    return entry !== undefined && this.#now() < entry.staleUntil;
  }
}

function withTime<T>(value: T | undefined, need: Need<T>): Loaded<T> {
  return { value, freshMs: need.freshMs(value), ageMs: 0 };
}
