import { setMaxListeners } from "node:events";
import { ActiveCall, runAs } from "../call/active-call.js";
import type { Data } from "../data/data.js";
import type { Logger } from "../observe/log.js";
import { LeaseKeeper } from "./leases.js";
import type { SagaMetrics } from "./metrics.js";
import type { SagaPlan } from "./plan.js";
import type { Progress, SagaDependencies } from "./progress.js";
import { takeStep } from "./step.js";
import { LeaseLost, renew, type SagaRow } from "./store.js";

export interface ExecutorOptions {
  /** The sagas that the contract has, by the full names of the methods that start them. */
  readonly plans: ReadonlyMap<string, SagaPlan>;
  readonly data: Data;
  readonly peers: Readonly<Record<string, unknown>>;
  readonly leaseMs: number;
  readonly log: Logger;
  readonly metrics: SagaMetrics;
  /** Called when a saga, or room for one, will be there in so many milliseconds. */
  readonly due: (inMs: number) => void;
  /** Called when a saga has ended here. */
  readonly ended: (id: string) => void;
}

/** The number of sagas that one process executes at a time; more wait in the database. After an outage all of them are due at once. */
const CONCURRENCY = 64;

/** Executes the sagas that this process has leases of, step by step, until they have ended or have to wait. */
export class SagaExecutor {
  readonly #options: ExecutorOptions;
  readonly #dependencies: SagaDependencies;
  readonly #executing = new Map<string, { readonly row: SagaRow; readonly done: Promise<void> }>();
  readonly #leases: LeaseKeeper;
  readonly #abandoned = new AbortController();
  /** What the statements of steps run for. */
  readonly #call = new ActiveCall({});
  #isOpen = false;
  #isStopped = false;
  #grace: NodeJS.Timeout | undefined;

  constructor(options: ExecutorOptions) {
    this.#options = options;
    const { data, peers, leaseMs, log } = options;
    const { signal } = this.#abandoned;
    // Each call under way listens.
    setMaxListeners(0, signal);
    signal.addEventListener("abort", () => this.#call.cancel(new Error("the process ends")));
    this.#dependencies = { data, peers, leaseMs, signal };
    const held = () => [...this.#executing.values()].map(({ row }) => row);
    this.#leases = new LeaseKeeper({ db: data.db, leaseMs, log, held });
  }

  /** The number of further sagas that may be executed. */
  get room(): number {
    return CONCURRENCY - this.#executing.size;
  }

  get isStopped(): boolean {
    return this.#isStopped;
  }

  /** Whether a saga that starts in this process may be executed at once. */
  get accepts(): boolean {
    return this.#isOpen && !this.#isStopped && this.room > 0;
  }

  open(): void {
    this.#isOpen = true;
  }

  /** Begins no more steps: sagas give their leases back. Calls under way are abandoned after so many milliseconds. */
  stop(graceMs: number): void {
    this.#isStopped = true;
    this.#grace = setTimeout(() => this.#abandoned.abort(), graceMs);
  }

  /** Waits for the sagas under way. */
  async close(): Promise<void> {
    await Promise.all([...this.#executing.values()].map(({ done }) => done));
    clearTimeout(this.#grace);
    await this.#leases.close();
  }

  /** Executes a saga that this process has the lease of. */
  execute(row: SagaRow): void {
    const done = this.#run(row).finally(() => {
      // Other sagas may wait for the room.
      if (this.room <= 0) this.#options.due(0);
      if (this.#executing.get(row.id)?.done === done) this.#executing.delete(row.id);
    });
    this.#executing.set(row.id, { row, done });
  }

  async #run(claimed: SagaRow): Promise<void> {
    const { plans, data, log } = this.#options;
    const plan = plans.get(claimed.saga);
    if (plan === undefined) return;
    const end = performance.now() + claimed.leftMs;
    let row = claimed;
    try {
      for (;;) {
        if (this.#isStopped) return await renew(data.db, [row], 0);
        const now = { ...row, leftMs: end - performance.now() };
        const progress = await runAs(this.#call, () => takeStep(plan, now, this.#dependencies));
        if (progress.kind !== "advanced") return this.#pause(row, progress);
        row = progress.row;
      }
    } catch (error) {
      if (error instanceof LeaseLost) return;
      // The row is as the last step wrote it: the next executor goes on from there.
      if (this.#abandoned.signal.aborted) await renew(data.db, [row], 0).catch(() => undefined);
      else log.warn({ err: error, saga: row.id }, "a saga could not go on");
    }
  }

  /** Reports why a saga is not executed further for now. */
  #pause(row: SagaRow, progress: Exclude<Progress, { kind: "advanced" }>): void {
    const { log, metrics, due, ended } = this.#options;
    if (progress.kind === "ended") {
      metrics.ended.with({ outcome: progress.state }).add();
      ended(row.id);
      return;
    }
    if (progress.kind === "failed") {
      const fields = { saga: row.id, err: progress.error, attempts: row.attempts + 1 };
      if (progress.becameStuck) log.error(fields, "a saga is stuck; it is retried all the same");
      else log.debug(fields, "a step of a saga failed and is retried");
    } else if (progress.incompatibility !== row.incompatibility) {
      const fields = { saga: row.id, incompatibility: progress.incompatibility };
      log.error(fields, "a saga is incompatible with the contract and waits for a version that is not");
    }
    // The database's clock may be a little behind this one.
    due(progress.inMs + 5);
  }
}
