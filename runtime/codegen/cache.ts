/** For `_cache` files: policies, and copies of rows. Internal: versioned with the tool. */
export * from "../cache/copy.js";
export type { CachePolicy } from "../spec/cache.js";
