import { sql } from "drizzle-orm";
import type { SharedTier } from "../../cache/shared.js";
import type { Driver } from "../postgres/driver.js";

export interface SharedCacheOptions {
  readonly tier: SharedTier;
  readonly driver: Driver;
  readonly service: string;
  /** How long the tier keeps a row at most, in milliseconds: what was written before then needs no invalidation. */
  readonly longestMs: () => number;
}

const TICK_MS = 1000;
/** How many ticks pass from one look for what others left undone to the next. */
const SWEEP_TICKS = 10;
const BATCH = 500;
/** What clocks, statements under way, and leases may add to the time that a row is kept. */
const MARGIN_MS = 60_000;

/**
 * The shared tier of one database, and what keeps it right. Each write leaves a row in `scaffold_invalidations`, in its
 * own transaction; it is taken away when the tier has forgotten what was written. So an invalidation that was not made,
 * since the process died after its commit or the tier was out of reach, is made by whoever comes next.
 *
 * While this process knows of an invalidation that it could not make, it does not read from the tier.
 */
export class SharedCache {
  readonly tier: SharedTier;
  readonly #driver: Driver;
  readonly #service: string;
  readonly #longestMs: () => number;
  /** The database's part of every key; undefined until it is known. */
  #namespace: string | undefined;
  /** How often there was reason for distrust, and up to which of them a sweep has mended it. */
  #reasons = 1;
  #mended = 0;
  #done: string[] = [];
  #ticks = 0;
  /** The sweep with which trust begins, or begins again. */
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

  /** The tier's name of a row; undefined if the tier may know an old one at the moment. */
  async readable(table: string, key: string): Promise<string | undefined> {
    if (this.#mended < this.#reasons) await this.#beginning;
    return this.#mended < this.#reasons ? undefined : this.#id(table, key);
  }

  /**
   * Has the tier forget a row that was written, in the background.
   *
   * @param line the write's own in `scaffold_invalidations`, if it is known
   */
  invalidate(table: string, key: string, line?: string): void {
    const id = this.#id(table, key);
    if (id === undefined) {
      this.distrust();
      return;
    }
    // Sent before this returns, so that what is read from now on comes after it.
    this.tier.invalidate([id]).then((done) => {
      if (!done) this.distrust();
      else if (line !== undefined) this.#done.push(line);
    });
  }

  /** Reads nothing from the tier until it has forgotten all that is written in the database. */
  distrust(): void {
    this.#reasons++;
  }

  /** The same, and whoever reads waits for that. The database may be another one by now: a replica that was promoted. */
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

  /** Makes every invalidation that is left. Whatever fails is tried again. */
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
      // Waits for whoever sweeps the same lines: when this is done, they are done.
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

  /** Takes away the lines of invalidations that were made. */
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
   * Tells this database from any other, however it is addressed; and from what it was before a replica was promoted, which
   * may lack what others have read before.
   */
  async #identify(): Promise<string> {
    const { rows } = await this.#driver.db.execute<{ name: string }>(
      sql`select concat_ws('.', c.system_identifier, d.oid, substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)) as name
        from pg_control_system() c, pg_database d where d.datname = current_database()`,
    );
    return `scaffold/${this.#service}/${rows[0]!.name}`;
  }
}
