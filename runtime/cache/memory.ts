import { LRUCache } from "lru-cache";

/** A cached value, and how long it is good for; instants as the cache's clock counts. */
export interface Entry<T extends object> {
  /** Undefined: there is no such row. */
  readonly value: T | undefined;
  /** When the database said so, at the latest: what has been written since may not be in it. */
  readonly readAt: number;
  /** From then on a reader has it loaded anew, though it need not wait for that. */
  readonly renewFrom: number;
  readonly freshUntil: number;
  /** When it was loaded: see `Coherence`. */
  readonly epoch: number | undefined;
  /** Until then it may answer in place of a database that does not. */
  readonly staleUntil: number;
}

/** Where a process keeps cached rows of one entity. */
export interface Store<T extends object> {
  get(key: string): Entry<T> | undefined;
  set(key: string, entry: Entry<T>): void;
  delete(key: string): void;
}

/** What all entries of one store may have together, in bytes, about; what has more than an eighth of it is not kept. */
const MAX_BYTES = 64 * 1024 * 1024;

/** Keeps the most recently used entries in this process. Another process has its own. */
export function memoryStore<T extends object>(maxEntries = 10_000, maxBytes = MAX_BYTES): Store<T> {
  const entries = new LRUCache<string, Entry<T>>({
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

/** How many bytes a value takes, about: texts and bytes by their length, and a little for all else. */
function sizeOf(value: unknown): number {
  if (typeof value === "string") return 16 + value.length;
  if (typeof value !== "object" || value === null) return 8;
  if (value instanceof Uint8Array) return 64 + value.length;
  let size = 32;
  for (const name in value) size += sizeOf((value as Record<string, unknown>)[name]);
  return size;
}
