import { ConnectError } from "@connectrpc/connect";
import { fromDatabase } from "../data/postgres/errors.js";
import type { Backoff } from "../spec/retry.js";
import { compensateStep, startCompensation } from "./compensation.js";
import { runStep } from "./forward.js";
import { isPermanent } from "./permanent.js";
import type { SagaPlan } from "./plan.js";
import { holdRefused, type Progress, retryLater, type SagaDependencies } from "./progress.js";
import { LeaseLost, type SagaRow } from "./store.js";

/** The delays after failures of the service itself, whose steps have policies of their own. */
const OWN_BACKOFF: Backoff = { initialBackoffMs: 100, maxBackoffMs: 10_000, backoffMultiplier: 2 };

/**
 * Takes a saga one step on, forward or back, and writes the result. An unforeseen failure is retried. If it is permanent, a running
 * saga is compensated instead, and a compensating one is stuck at once.
 *
 * @throws LeaseLost if another executor has the saga
 */
export async function takeStep(plan: SagaPlan, row: SagaRow, dependencies: SagaDependencies): Promise<Progress> {
  try {
    return await (row.state === "running" ? runStep(plan, row, dependencies) : compensateStep(plan, row, dependencies));
  } catch (error) {
    if (error instanceof LeaseLost || dependencies.signal.aborted) throw error;
    const failure = ConnectError.from(fromDatabase(error));
    if (!isPermanent(error)) return retryLater(row, dependencies, failure, OWN_BACKOFF);
    return row.state === "running"
      ? startCompensation(row, dependencies, { reason: failure.rawMessage })
      : holdRefused(row, dependencies, failure);
  }
}
