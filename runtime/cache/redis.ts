import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Redis } from "ioredis";
import { backoffMs } from "../call/backoff.js";
import type { Backoff } from "../spec/retry.js";
import { Breaker } from "./breaker.js";
import { fillScript, readScript } from "./scripts.js";
import type { SharedLookup, SharedRow, SharedTier } from "./shared.js";

export interface RedisOptions {
  /** `redis://user:password@host:port/0`, or `rediss://` for TLS. */
  readonly url: string;
}

/** The timeout of a command; the database would have responded by then. */
const COMMAND_TIMEOUT_MS = 100;
/** The lease: how long one process may load a row while others wait; after it, another one tries. */
const LEASE_MS = 2000;
/** The time that those others wait, polling; then they load the row themselves. */
const LOOKS_MS = [5, 10, 20, 40, 80];
const RECONNECT: Backoff = { initialBackoffMs: 100, maxBackoffMs: 2000, backoffMultiplier: 2 };

type Scripts = Redis & {
  scaffoldReadBuffer(key: string, ...args: (string | number)[]): Promise<[Buffer, (Buffer | number)?]>;
  scaffoldFill(key: string, ...args: (string | number | Buffer)[]): Promise<number>;
};

/**
 * Opens a tier in Redis. It connects in the background, and reconnects whenever the connection breaks.
 *
 * @throws Error if the package ioredis, an optional peer dependency, is not installed
 */
export async function openRedis({ url }: RedisOptions): Promise<SharedTier> {
  const redis = (await connect(url)) as Scripts;
  const breaker = new Breaker();
  // Redis responds with errors such as "OOM command not allowed" quickly, and reads still work: do not open the breaker.
  const ask = <T>(command: () => Promise<T>) =>
    breaker.try(async () => {
      try {
        return await command();
      } catch (error) {
        if ((error as Error).name === "ReplyError") return undefined;
        throw error;
      }
    });

  async function read(id: string, shape: string, atLeastMs: number): Promise<SharedLookup> {
    const lease = randomUUID();
    for (let look = 0; ; look++) {
      const reply = await ask(() => redis.scaffoldReadBuffer(id, shape, lease, LEASE_MS, Math.ceil(atLeastMs)));
      if (reply === undefined) return undefined;
      const [bytes, freshMs] = reply;
      if (freshMs !== undefined) return { found: { bytes, freshMs: Number(freshMs) } };
      if (bytes.toString() === "lease") return { lease };
      if (look === LOOKS_MS.length) return undefined;
      await sleep(LOOKS_MS[look]);
    }
  }

  async function fill(id: string, shape: string, lease: string, { bytes, freshMs }: SharedRow): Promise<void> {
    await ask(() => redis.scaffoldFill(id, shape, lease, Buffer.from(bytes), Math.ceil(freshMs)));
  }

  return {
    read,
    fill,
    invalidate: async (ids) => ids.length === 0 || (await ask(() => redis.del(...ids))) !== undefined,
    close: async () => redis.disconnect(),
  };
}

async function connect(url: string): Promise<Redis> {
  const { Redis } = await import("ioredis").catch((error: unknown) => {
    throw new Error("CACHE_URL needs the package ioredis: npm install ioredis", { cause: error });
  });
  const redis = new Redis(url, {
    commandTimeout: COMMAND_TIMEOUT_MS,
    connectTimeout: 2000,
    // While disconnected, commands fail at once and are never sent twice.
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    retryStrategy: (attempt) => backoffMs(attempt, RECONNECT),
  });
  // Commands report a lost connection themselves; an `error` event without a listener would end the process.
  redis.on("error", () => undefined);
  redis.defineCommand("scaffoldRead", { numberOfKeys: 1, lua: readScript });
  redis.defineCommand("scaffoldFill", { numberOfKeys: 1, lua: fillScript });
  // Allow a moment to connect, so that the first reads can use the tier.
  await Promise.race([new Promise((resolve) => redis.once("ready", resolve).once("error", resolve)), sleep(500)]);
  return redis;
}
