/** Random choices that a seed decides. */
export interface Dice {
  /** A number from 0 to 1. */
  random(): number;
  /** A whole number from 0, less than `limit`. */
  upTo(limit: number): number;
  oneOf<T>(items: readonly T[]): T;
  noise(length: number): Buffer;
  /** Returns a copy in which one byte may differ. */
  mutated(bytes: Buffer): Buffer;
  /** Returns all of the bytes, or now and then all but the end. */
  cut(bytes: Buffer): Buffer[];
}

export function dice(seed: number): Dice {
  const random = randomOf(seed);
  const upTo = (limit: number) => Math.floor(random() * limit);
  return {
    random,
    upTo,
    oneOf: <T>(items: readonly T[]) => items[upTo(items.length)] as T,
    noise: (length) => Buffer.from(Array.from({ length }, () => upTo(256))),
    mutated(bytes) {
      const copy = Buffer.from(bytes);
      if (copy.length > 0) copy[upTo(copy.length)] = upTo(256);
      return copy;
    },
    cut: (bytes) => (random() < 0.95 ? [bytes] : [bytes.subarray(0, upTo(bytes.length))]),
  };
}

/** Returns a generator of numbers from 0 to 1 for a seed (mulberry32). */
function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
