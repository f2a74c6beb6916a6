import { sql } from "drizzle-orm";
import type { SharedTier } from "../../cache/shared.js";
import type { Driver } from "../postgres/driver.js";

export interface SharedCacheOptions {
  readonly tier: SharedTier;
  readonly driver: Driver;
  readonly service: string;
  /** The maximum TTL of a row in milliseconds: writes from before that time need no invalidation. */
  readonly longestMs: () => number;
}

const TICK_MS = 1000;
/** The number of ticks between two sweeps for invalidations that other processes left. */
const SWEEP_TICKS = 10;
const BATCH = 500;
/** Added to the TTL for clock skew, running statements, and leases. */
const MARGIN_MS = 60_000;

/**
 * The shared tier of one database, and its invalidation. Each write inserts a row into `scaffold_invalidations` in its own transaction;
 * the row is deleted when the tier has invalidated what was written. If a process dies after its commit, or the tier is unreachable,
 * another process makes the invalidation later.
 *
 * While this process knows of a pending invalidation, it does not read from the tier.
 */
export class SharedCache {
  readonly tier: SharedTier;
  readonly #driver: Driver;
  readonly #service: string;
  readonly #longestMs: () => number;
  /** The database's prefix of every key; undefined until it is known. */
  #namespace: string | undefined;
  /** Counts the reasons for distrust, and those that a sweep has resolved. */
  #reasons = 1;
  #mended = 0;
  #done: string[] = [];
  #ticks = 0;
  /** The sweep after which the tier is trusted again. */
  #beginning: Promise<void>;
  #ticking: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor({ tier, driver, service, longestMs }: SharedCacheOptions) {
    this.tier = tier;
    this.#driver = driver;
    this.#service = service;
    this.#longestMs = longestMs;
    this.#beginning = this.#sweep();
    this.#schedule();
  }

  /** Returns the tier's key of a row, or undefined if the tier may hold an outdated one. */
  async readable(table: string, key: string): Promise<string | undefined> {
    if (this.#mended < this.#reasons) await this.#beginning;
    return this.#mended < this.#reasons ? undefined : this.#id(table, key);
  }

  /**
   * Invalidates a written row in the tier, in the background.
   *
   * @param line the id of the write's row in `scaffold_invalidations`, if it is known
   */
  invalidate(table: string, key: string, line?: string): void {
    const id = this.#id(table, key);
    if (id === undefined) {
      this.distrust();
      return;
    }
    // The command is sent before this returns, so that later reads come after it.
    this.tier.invalidate([id]).then((done) => {
      if (!done) this.distrust();
      else if (line !== undefined) this.#done.push(line);
    });
  }

  /** Reads nothing from the tier until all pending invalidations have been made. */
  distrust(): void {
    this.#reasons++;
  }

  /** Does the same, and makes readers wait for it. The database may have changed: a replica may have been promoted. */
  begin(): void {
    this.distrust();
    this.#beginning = this.#beginning.then(() => {
      this.#namespace = undefined;
      return this.#sweep();
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await Promise.all([this.#beginning, this.#ticking]);
    await this.#strike().catch(() => undefined);
    await this.tier.close();
  }

  #id(table: string, key: string): string | undefined {
    return this.#namespace === undefined ? undefined : `${this.#namespace}/${table}/${key}`;
  }

  #schedule(): void {
    this.#timer = setTimeout(async () => {
      this.#ticks++;
      this.#ticking = this.#tick();
      await this.#ticking;
      if (!this.#closed) this.#schedule();
    }, TICK_MS).unref();
  }

  async #tick(): Promise<void> {
    await this.#strike().catch(() => undefined);
    if (this.#mended < this.#reasons || this.#ticks % SWEEP_TICKS === 0) await this.#sweep();
  }

  /** Makes all pending invalidations. Failed ones are retried. */
  async #sweep(): Promise<void> {
    const reasons = this.#reasons;
    try {
      this.#namespace ??= await this.#identify();
      const old = sql`now() - ${(this.#longestMs() + MARGIN_MS) / 1000} * interval '1 second'`;
      await this.#driver.db.execute(sql`delete from "scaffold_invalidations" where "created_at" < ${old}`);
      while ((await this.#sweepSome()) === BATCH);
      this.#mended = reasons;
    } catch {
      this.distrust();
    }
  }

  #sweepSome(): Promise<number> {
    return this.#driver.transaction(async (tx) => {
      // Waits for another process that sweeps the same rows: when this ends, they are done.
      const { rows } = await tx.execute<{ table: string; key: string }>(
        sql`delete from "scaffold_invalidations" where "id" in (
          select "id" from "scaffold_invalidations" order by "id" limit ${BATCH} for update
        ) returning "table", "key"`,
      );
      const ids = rows.flatMap(({ table, key }) => this.#id(table, key) ?? []);
      const done = ids.length === rows.length && (await this.tier.invalidate(ids));
      if (!done) throw new Error("the shared cache does not answer");
      return rows.length;
    });
  }

  /** Deletes the rows of invalidations that were made. */
  async #strike(): Promise<void> {
    const lines = this.#done.splice(0);
    if (lines.length === 0) return;
    await this.#driver.db.execute(
      sql`delete from "scaffold_invalidations" where "id" in (
        select "id" from "scaffold_invalidations" where "id" = any(${sql.param(lines)}::bigint[]) for update skip locked
      )`,
    );
  }

  /**
   * Returns an identifier of the database, independent of its address. It changes when a replica is promoted, because the new primary may
   * lack writes that others have read before.
   */
  async #identify(): Promise<string> {
    const { rows } = await this.#driver.db.execute<{ name: string }>(
      sql`select concat_ws('.', c.system_identifier, d.oid, substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)) as name
        from pg_control_system() c, pg_database d where d.datname = current_database()`,
    );
    return `scaffold/${this.#service}/${rows[0]!.name}`;
  }
}
