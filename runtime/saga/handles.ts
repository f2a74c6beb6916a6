import type { Message } from "@bufbuild/protobuf";
import { propagated } from "../call/propagation.js";
import { codecOf } from "../codec/known.js";
import type { Database } from "../data/postgres/driver.js";
import { methodsOf } from "./compatibility.js";
import type { SagaEndings } from "./endings.js";
import type { SagaExecutor } from "./executor.js";
import type { SagaMetrics } from "./metrics.js";
import { buildRequest, type SagaPlan } from "./plan.js";
import type { SagaPoller } from "./poller.js";
import type { SagaHandle } from "./saga.js";
import { insert, newRow, requestCompensation } from "./store.js";

export interface HandleDependencies {
  readonly db: Database;
  readonly executor: SagaExecutor;
  readonly poller: SagaPoller;
  readonly endings: SagaEndings;
  readonly leaseMs: number;
  readonly metrics: SagaMetrics;
}

/** The part of a caller's time that is left for the response: a fifth, within these bounds. */
const RESPONSE_SHARE = 0.2;
const RESPONSE_MS = { min: 250, max: 1000 };

/** Returns what handlers start sagas of one kind with, wait for and compensate them. */
export function createHandle(
  plan: SagaPlan,
  { db, executor, poller, endings, leaseMs, metrics }: HandleDependencies,
): SagaHandle<Message> {
  return {
    async start(tx, id, input, context) {
      const [first] = plan.spec.steps;
      if (first === undefined) throw new Error(`${plan.name} has no steps`);
      const isOurs = executor.accepts;
      const saga = {
        id,
        saga: plan.name,
        input: codecOf(plan.spec.method.input).toBytes(input as never),
        step: first.name,
        request: buildRequest(plan, first, id, input, {}),
        ...methodsOf(first),
        trace: context === undefined ? {} : propagated(context),
        timeoutMs: plan.spec.timeoutMs,
        leaseMs: isOurs ? leaseMs : 0,
      };
      await insert(tx.db, saga);
      tx.afterCommit(() => {
        metrics.started.add();
        if (isOurs && !executor.isStopped) executor.execute(newRow(saga));
        else poller.wake(0);
      });
    },

    async ended(id, context) {
      const limit = new AbortController();
      const timeoutMs = context.timeoutMs();
      const timer = timeoutMs === undefined ? undefined : setTimeout(() => limit.abort(), waitMs(timeoutMs));
      const signal = AbortSignal.any([context.signal, limit.signal]);
      const over = new Promise<false>((resolve) => {
        if (signal.aborted) resolve(false);
        signal.addEventListener("abort", () => resolve(false));
      });
      try {
        // The database may not answer in time, either.
        return await Promise.race([endings.wait(id, signal), over]);
      } finally {
        clearTimeout(timer);
      }
    },

    async compensate(id, reason) {
      await requestCompensation(db, id, reason);
      poller.wake(0);
    },
  };
}

/** Returns how long a call with this timeout waits for a saga. The rest is left for its response. */
function waitMs(timeoutMs: number): number {
  const responseMs = Math.max(timeoutMs * RESPONSE_SHARE, RESPONSE_MS.min);
  return timeoutMs - Math.min(responseMs, RESPONSE_MS.max, timeoutMs / 2);
}
