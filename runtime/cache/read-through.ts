import { setTimeout as sleep } from "node:timers/promises";
import type { CachePolicy } from "../spec/cache.js";
import { now as clock } from "./clock.js";
import type { Entry, Store } from "./memory.js";

/** How a read was answered: fresh from the cache, from the database, or stale because the database did not answer. */
export type Outcome = "hit" | "miss" | "stale";

/** Whether what others write is heard. */
export interface Coherence {
  /** Changes whenever something may have been missed, and what was loaded before is no longer fresh. Undefined: deaf. */
  epoch(): number | undefined;
  /** Ends when the first attempt to hear has succeeded or failed. */
  listen(): Promise<void>;
}

/** What came of a load. */
export interface Loaded<T> {
  /** Undefined: there is no such row. */
  readonly value: T | undefined;
  /** How long it is fresh, in milliseconds. */
  readonly freshMs: number;
  /** How long ago the database said so, at most, in milliseconds. */
  readonly ageMs: number;
}

/** What a load is to come up with. */
export interface Need<T> {
  /** A row with less time left than this is not worth having, in milliseconds. */
  readonly atLeastMs: number;
  /** The longest that a row is fresh, in milliseconds. */
  readonly ttlMs: number;
  /** How long a row that comes from the database now is fresh, in milliseconds. */
  freshMs(value: T | undefined): number;
}

/** A tier behind this one, before the database: may answer a load, and fill itself from it. */
export interface Behind<T> {
  read(key: string, load: () => Promise<T | undefined>, need: Need<T>): Promise<Loaded<T>>;
}

export interface ReadThroughOptions<T extends object> {
  readonly store: Store<T>;
  /** Default: the database itself. */
  readonly behind?: Behind<T>;
  /** Default: nobody else writes. */
  readonly coherence?: Coherence;
  /** Whether an error says that the database did not answer. A row that does not exist is an answer. */
  readonly isOutage: (error: unknown) => boolean;
  /** Whether an error says that the reader who began a load gave it up: that is nothing to the others. Default: none does. */
  readonly isAbandoned?: (error: unknown) => boolean;
  /** How long a reader with a stale row at hand waits for a new one, in milliseconds. Default 500. */
  readonly patienceMs?: number;
  /** Milliseconds on a clock that never goes back. */
  readonly now?: () => number;
  /** From 0 to 1, without 1. */
  readonly random?: () => number;
}

/** A load under way. */
interface Load<T> {
  promise: Promise<T | undefined>;
  /** Someone has waited for it in vain already. */
  late: boolean;
}

const TOO_LATE = Symbol();
const ALONE: Coherence = { epoch: () => 0, listen: async () => undefined };

/** The most that chance takes from a TTL, so that rows which came together do not leave together. */
const JITTER = 0.1;
/** The last part of a TTL, in which a row that is still read is renewed beside its readers. */
const RENEWAL = 0.1;
/** The longest that "there is no such row" is remembered, in milliseconds. */
const MISSING_MS = 5000;

/**
 * Rows of one entity, read through a cache.
 *
 * - Simultaneous readers of one key share one load. If the one who began it gives it up, the others load anew.
 * - Within its TTL, less up to a tenth by chance, a row answers from the store; after it, the row is loaded anew. A row
 *   that is read in the last tenth is renewed while it answers, so that nobody waits for one that is in demand.
 * - For `staleWhileRevalidateMs` past its TTL a row still answers at once, and is renewed meanwhile.
 * - While the database does not answer, the old row answers in its place, up to `staleIfErrorMs` past its TTL.
 * - That there is no such row is remembered too, for 5 s at most, and never in place of a database that does not answer.
 * - A load that began before an invalidation neither fills the cache nor answers those who ask after it.
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
  /** Loads under way that may still fill the cache. An invalidation takes a load out. */
  readonly #loads = new Map<string, Load<T>>();
  /** How often everything was suspected. */
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
   * The row with this key; undefined if `load` says that there is none.
   *
   * @param outcome is told how, before the row is there; and how many milliseconds ago a stale row was read
   */
  async read(
    key: string,
    load: () => Promise<T | undefined>,
    outcome: (outcome: Outcome, ageMs: number) => void = () => undefined,
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
    entry: Entry<T> | undefined,
    load: () => Promise<T | undefined>,
    outcome: (outcome: Outcome, ageMs: number) => void,
  ): Promise<T | undefined> {
    try {
      const value = await this.#inTime(this.#loads.get(key) ?? this.#load(key, load), entry);
      if (value !== TOO_LATE) return this.#copy(value);
    } catch (error) {
      if (!this.#isOutage(error) || !this.#isUsable(this.#store.get(key))) throw error;
    }
    // Looked up again: it may have been invalidated meanwhile, and then only the database can say.
    const stale = this.#store.get(key);
    if (!this.#isUsable(stale)) return this.#copy(await (this.#loads.get(key) ?? this.#load(key, load)).promise);
    outcome("stale", this.#now() - stale.readAt);
    return this.#copy(stale.value);
  }

  /** The row, if it is in the store, fresh, and not to be renewed yet: what most reads come to, at no more cost than needed. */
  hit(key: string): T | undefined {
    const entry = this.#store.get(key);
    if (entry?.value === undefined) return undefined;
    const now = this.#now();
    if (now >= entry.renewFrom || !this.#isFresh(entry, now)) return undefined;
    return this.#policy.copy(entry.value);
  }

  /** What a read would answer from the store alone; undefined if it would load the row. */
  peek(key: string): { readonly value: T | undefined } | undefined {
    const entry = this.#store.get(key);
    return this.#isFresh(entry, this.#now()) ? { value: this.#copy(entry.value) } : undefined;
  }

  /** Forgets a row that was written. */
  invalidate(key: string): void {
    this.#loads.delete(key);
    this.#store.delete(key);
  }

  /** Takes every row as possibly written: what is being loaded answers nobody who asks from now on. */
  suspectAll(): void {
    this.#generation++;
    this.#loads.clear();
  }

  /** Takes a row as possibly written: it must be read anew, but may still stand in for a database that is away. */
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
        // From before the row is read: a write that is not heard after this may not be in it.
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

  /** Once for each entry: if that fails, readers wait at the end of its time, and not before. */
  #renew(key: string, entry: Entry<T>, run: () => Promise<T | undefined>): void {
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
      // To know soon that a row has come matters more than to know fast that it has not.
      renewFrom: missing ? end : end - ttlMs * RENEWAL,
      freshUntil,
      epoch,
      staleUntil: missing ? 0 : freshUntil + staleIfErrorMs,
    });
  }

  /**
   * The loaded value. With a usable row at hand, nobody waits longer than patience lasts, for a database may also fail
   * by silence; nor does anybody wait after the first who did so in vain.
   */
  async #inTime(load: Load<T>, entry: Entry<T> | undefined): Promise<T | undefined | typeof TOO_LATE> {
    if (!this.#isUsable(entry)) return load.promise;
    if (load.late) return TOO_LATE;
    const done = new AbortController();
    const patience = sleep(this.#patienceMs, TOO_LATE, { signal: done.signal }).catch(() => TOO_LATE);
    const first = (await Promise.race([load.promise, patience])) as T | undefined | typeof TOO_LATE;
    done.abort();
    load.late ||= first === TOO_LATE;
    return first;
  }

  #isFresh(entry: Entry<T> | undefined, now: number): entry is Entry<T> {
    if (entry === undefined || now >= entry.freshUntil) return false;
    return entry.epoch !== undefined && entry.epoch === this.#epoch();
  }

  /** Changes whenever something from before is no longer to be believed: both parts only grow. */
  #epoch(): number | undefined {
    const heard = this.#coherence.epoch();
    return heard === undefined ? undefined : heard + this.#generation;
  }

  #isUsable(entry: Entry<T> | undefined): entry is Entry<T> {
    return entry !== undefined && this.#now() < entry.staleUntil;
  }
}

function withTime<T>(value: T | undefined, need: Need<T>): Loaded<T> {
  return { value, freshMs: need.freshMs(value), ageMs: 0 };
}
