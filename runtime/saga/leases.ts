import type { Database } from "../data/postgres/driver.js";
import type { Logger } from "../observe/log.js";
import { type Lease, renew } from "./store.js";

export interface LeaseKeeperOptions {
  readonly db: Database;
  readonly leaseMs: number;
  readonly log: Logger;
  /** Returns the leases to keep. */
  readonly held: () => readonly Lease[];
}

/** Renews the leases of sagas that take longer than a lease lasts. */
export class LeaseKeeper {
  readonly #options: LeaseKeeperOptions;
  readonly #timer: NodeJS.Timeout;
  #renewing: Promise<void> | undefined;

  constructor(options: LeaseKeeperOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.#renew(), options.leaseMs / 3).unref();
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#renewing;
  }

  #renew(): void {
    const { db, leaseMs, log, held } = this.#options;
    const leases = held();
    if (leases.length === 0) return;
    this.#renewing ??= renew(db, leases, leaseMs)
      .catch((error: unknown) => log.debug({ err: error }, "leases of sagas could not be renewed"))
      .finally(() => {
        this.#renewing = undefined;
      });
  }
}
