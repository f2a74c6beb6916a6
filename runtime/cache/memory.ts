import { LRUCache } from "lru-cache";

/** A cached value and its lifetime; all instants are on the cache's clock. */
export interface CacheEntry<T extends object> {
  /** Undefined if the row does not exist. */
  readonly value: T | undefined;
  /** A time before the database read the row: later writes may be missing. */
  readonly readAt: number;
  /** From this time on a read triggers a refresh, but need not wait for it. */
  readonly renewFrom: number;
  readonly freshUntil: number;
  /** The epoch in which it was loaded: see `Coherence`. */
  readonly epoch: number | undefined;
  /** Until this time it may be served while the database is unavailable. */
  readonly staleUntil: number;
}

/** Stores the cached rows of one entity in a process. */
export interface Store<T extends object> {
  get(key: string): CacheEntry<T> | undefined;
  set(key: string, entry: CacheEntry<T>): void;
  delete(key: string): void;
}

/** The approximate capacity of a store in bytes; an entry of more than an eighth of it is not stored. */
const MAX_BYTES = 64 * 1024 * 1024;

/** An LRU store in this process's memory. Other processes have their own. */
export function memoryStore<T extends object>(maxEntries = 10_000, maxBytes = MAX_BYTES): Store<T> {
  const entries = new LRUCache<string, CacheEntry<T>>({
    max: maxEntries,
    maxSize: maxBytes,
    maxEntrySize: maxBytes / 8,
    sizeCalculation: ({ value }, key) => 100 + key.length + sizeOf(value),
  });
  return {
    get: (key) => entries.get(key),
    set: (key, entry) => void entries.set(key, entry),
    delete: (key) => void entries.delete(key),
  };
}

/** Estimates the size of a value in bytes: strings and bytes by their length, and a constant for everything else. */
function sizeOf(value: unknown): number {
  if (typeof value === "string") return 16 + value.length;
  if (typeof value !== "object" || value === null) return 8;
  if (value instanceof Uint8Array) return 64 + value.length;
  let size = 32;
  for (const name in value) size += sizeOf((value as Record<string, unknown>)[name]);
  return size;
}
