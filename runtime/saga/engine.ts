import { setMaxListeners } from "node:events";
import type { Message } from "@bufbuild/protobuf";
import { ActiveCall, runApart, runAs } from "../call/active-call.js";
import { jittered } from "../call/backoff.js";
import { propagated } from "../call/propagation.js";
import { codecOf } from "../codec/known.js";
import { own } from "../codec/message.js";
import type { Data } from "../data/data.js";
import type { Logger } from "../observe/log.js";
import type { Metrics } from "../observe/metrics.js";
import type { SagaSpec } from "../spec/saga.js";
import { methodsOf } from "./fit.js";
import type { SagaDefinition, SagaHandle } from "./saga.js";
import {
  claim,
  counts,
  insert,
  LeaseLost,
  markUnknown,
  phase,
  removeEnded,
  renew,
  type SagaRow,
  turnBack,
} from "./store.js";
import { buildRequest, type Ground, type Plan, stepOn } from "./walk.js";

export interface SagaOptions {
  /** Where sagas are kept, and what their ends write to. */
  readonly data: Data;
  /** Clients of the called services, by the names that handlers use. */
  readonly peers: Readonly<Record<string, unknown>>;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** After how long another instance goes on with a saga whose own has died, in milliseconds. Default 3000. */
  readonly leaseMs?: number;
  /** How long sagas are kept once they have ended, in milliseconds. Default: as long as the contract says of each. */
  readonly retentionMs?: number | undefined;
}

/** Runs the sagas of one service: those that this instance starts, and those that another has left behind. */
export interface Sagas {
  /** What handlers use, by method. */
  readonly handles: Readonly<Record<string, SagaHandle<Message>>>;
  /** Begins to look for sagas that nobody works at. */
  start(): void;
  /** Begins no more steps, and lets calls that are on their way take this long, in milliseconds; gives all leases back. */
  close(graceMs?: number): Promise<void>;
}

/** How many sagas an instance walks at once; others wait in the database. After an outage all of them would come at once. */
const AT_ONCE = 64;
/** How often to look for sagas that nobody works at. */
const POLL_MS = 500;
/** How often they are counted. */
const COUNT_MS = 5000;
/** How often those are removed that are kept no longer, and how many at once. */
const REMOVE_MS = 60_000;
const REMOVED_AT_ONCE = 500;
/** How often to ask whether a saga that another instance walks has ended. */
const ASK_MS = 200;
/** What of a caller's time is left to the answer: a fifth of it, within these bounds. */
const ANSWER_SHARE = 0.2;
const ANSWER_MS = { least: 250, most: 1000 };
const LEASE_MS = 3000;

/**
 * Opens what runs a service's sagas.
 *
 * @param specs what the contract says, by method
 * @param definitions what their author says, by the same names
 */
export function openSagas(
  specs: Readonly<Record<string, SagaSpec>>,
  definitions: Readonly<Record<string, SagaDefinition>>,
  options: SagaOptions,
): Sagas {
  const { data, log, metrics, leaseMs = LEASE_MS } = options;
  const plans = new Map<string, Plan>();
  const ending = new AbortController();
  // Each call that is on its way listens.
  setMaxListeners(0, ending.signal);
  /** What the statements of steps are run for. */
  const steps = new ActiveCall({});
  ending.signal.addEventListener("abort", () => steps.cancel(new Error("the process ends")));
  const ground: Ground = { data, peers: options.peers, leaseMs, signal: ending.signal };
  /** What is being walked here, by id. */
  const walking = new Map<string, { readonly row: SagaRow; readonly done: Promise<void> }>();
  const waiting = new Map<string, Set<() => void>>();
  let open = false;
  let closing = false;
  let timer: NodeJS.Timeout | undefined;
  let timerAt = Number.POSITIVE_INFINITY;
  let polling: Promise<void> | undefined;
  /** Whether to look again at once, for there may be more since. */
  let again = false;
  /** Whether the last look was in vain. */
  let blind = false;
  let countedAt = 0;
  let removing: Promise<void> | undefined;
  let renewing: Promise<void> | undefined;

  /** Has the database looked at, in so many milliseconds at the latest. */
  function wake(inMs: number): void {
    const at = performance.now() + inMs;
    if (!open || closing || at >= timerAt) return;
    clearTimeout(timer);
    timerAt = at;
    // A call may be what wakes it, and has ended by then.
    timer = runApart(() => setTimeout(look, inMs));
  }

  function look(): void {
    timerAt = Number.POSITIVE_INFINITY;
    if (polling !== undefined) {
      again = true;
      return;
    }
    polling = poll().finally(() => {
      polling = undefined;
      wake(again ? 0 : jittered(POLL_MS));
      again = false;
    });
  }

  async function poll(): Promise<void> {
    try {
      const free = AT_ONCE - walking.size;
      const rows = free > 0 ? await claim(data.db, [...plans.keys()], free, leaseMs) : [];
      blind = false;
      for (const row of rows) take(row);
      if (free > 0 && rows.length === free) wake(0);
      if (performance.now() - countedAt < COUNT_MS && countedAt !== 0) return;
      countedAt = performance.now();
      for (const unknown of await markUnknown(data.db, [...plans.keys()])) {
        log.error(unknown, "nobody goes on with a saga: the contract does not have it any more");
      }
      metrics.sagas(await counts(data.db));
    } catch (error) {
      // Every saga waits as long as the database does.
      if (!blind) log.warn({ err: error }, "sagas cannot be looked for; it is tried again");
      blind = true;
    }
  }

  function take(row: SagaRow): void {
    const done = walk(row).finally(() => {
      // Others may be waiting for the place.
      if (walking.size >= AT_ONCE) wake(0);
      if (walking.get(row.id)?.done === done) walking.delete(row.id);
    });
    walking.set(row.id, { row, done });
  }

  async function walk(taken: SagaRow): Promise<void> {
    const plan = plans.get(taken.saga);
    if (plan === undefined) return;
    const end = performance.now() + taken.leftMs;
    let row = taken;
    try {
      for (;;) {
        if (closing) return await renew(data.db, [row], 0);
        const now = { ...row, leftMs: end - performance.now() };
        const progress = await runAs(steps, () => stepOn(plan, now, ground));
        if (progress.kind === "on") {
          row = progress.row;
          continue;
        }
        if (progress.kind === "later") {
          const { inMs, stuck, error } = progress;
          const what = { saga: row.id, err: error, attempts: row.attempts + 1 };
          if (stuck) log.error(what, "a saga is stuck; it is tried again all the same");
          else log.debug(what, "a step of a saga is tried again");
          // The database has a clock of its own.
          wake(inMs + 5);
          return;
        }
        if (progress.kind === "parked") {
          const { inMs, misfit } = progress;
          if (misfit !== row.misfit) log.error({ saga: row.id, misfit }, "a saga does not fit the contract; it waits");
          wake(inMs + 5);
          return;
        }
        metrics.sagaEnded(progress.state);
        for (const tell of waiting.get(row.id) ?? []) tell();
        return;
      }
    } catch (error) {
      if (error instanceof LeaseLost) return;
      // Whoever takes it next finds it as it was written down.
      if (ending.signal.aborted) await renew(data.db, [row], 0).catch(() => undefined);
      else log.warn({ err: error, saga: row.id }, "a saga could not go on");
    }
  }

  /** Keeps the leases of what takes longer. */
  const keeping = setInterval(() => {
    if (walking.size === 0) return;
    const leases = [...walking.values()].map(({ row }) => row);
    renewing ??= renew(data.db, leases, leaseMs)
      .catch((error: unknown) => log.debug({ err: error }, "leases of sagas could not be renewed"))
      .finally(() => {
        renewing = undefined;
      });
  }, leaseMs / 3).unref();

  /** Removes what has ended and is kept no longer, a little at a time, so that nobody waits for it. */
  async function removeAll(): Promise<void> {
    for (const { name, spec } of plans.values()) {
      for (let full = true; full && !closing; ) {
        const removed = await removeEnded(data.db, name, options.retentionMs ?? spec.retentionMs, REMOVED_AT_ONCE);
        metrics.sagasRemoved(removed);
        full = removed === REMOVED_AT_ONCE;
      }
    }
  }

  function remove(): void {
    removing ??= removeAll()
      .catch((error: unknown) => log.debug({ err: error }, "ended sagas could not be removed; it is tried again"))
      .finally(() => {
        removing = undefined;
      });
  }

  let sweeping: NodeJS.Timeout | undefined;

  const handle = (plan: Plan): SagaHandle<Message> => ({
    async start(tx, id, input, context) {
      const [first] = plan.spec.steps;
      if (first === undefined) throw new Error(`${plan.name} has no steps`);
      const request = buildRequest(plan, first, id, input, {});
      const { timeoutMs } = plan.spec;
      const mine = open && !closing && walking.size < AT_ONCE;
      const saga = {
        id,
        saga: plan.name,
        input: codecOf(plan.spec.method.input).toBytes(input as never),
        step: first.name,
        request,
        ...methodsOf(first),
        trace: context === undefined ? {} : propagated(context.requestHeader),
        timeoutMs,
        leaseMs: mine ? leaseMs : 0,
      };
      await insert(tx.db, saga);
      tx.afterCommit(() => {
        metrics.sagaStarted();
        const none = {
          undone: 0,
          attempts: 0,
          error: null,
          refused: false,
          misfit: null,
          reason: null,
          answers: [],
          epoch: 1,
        };
        const { call, compensation } = saga;
        const begun = { steps: [first.name], requests: [request], calls: [call], compensations: [compensation] };
        const row = { ...saga, ...none, ...begun, state: "running" } as const;
        if (mine && !closing) take({ ...row, leftMs: timeoutMs });
        else wake(0);
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
        // The database may not answer by then, either.
        return await Promise.race([untilEnded(id, signal), over]);
      } finally {
        clearTimeout(timer);
      }
    },

    async compensate(id, reason) {
      await turnBack(data.db, id, reason);
      wake(0);
    },
  });

  /** Asks until a saga has ended; false if the signal was aborted before. */
  async function untilEnded(id: string, signal: AbortSignal): Promise<boolean> {
    while (!signal.aborted) {
      const told = tellOf(id);
      try {
        const state = await phase(data.db, id);
        if (state === undefined || state === "completed" || state === "compensated") return true;
        await Promise.race([told.promise, sleep(ASK_MS, signal)]);
      } finally {
        told.forget();
      }
    }
    return false;
  }

  /** Is told when a saga ends here. */
  function tellOf(id: string): { promise: Promise<void>; forget(): void } {
    let tell = () => {};
    const promise = new Promise<void>((resolve) => {
      tell = resolve;
    });
    const others = waiting.get(id) ?? new Set();
    waiting.set(id, others.add(tell));
    return {
      promise,
      forget() {
        others.delete(tell);
        if (others.size === 0) waiting.delete(id);
      },
    };
  }

  const handles: Record<string, SagaHandle<Message>> = {};
  for (const [local, spec] of Object.entries(specs)) {
    const definition = own(definitions, local);
    if (definition === undefined) throw new Error(`the saga of ${spec.method.name} is not defined: write it`);
    const plan: Plan = { name: `${spec.method.parent.typeName}/${spec.method.name}`, spec, definition };
    plans.set(plan.name, plan);
    handles[local] = handle(plan);
  }

  return {
    handles,
    start() {
      open = true;
      wake(0);
      remove();
      sweeping = setInterval(remove, REMOVE_MS).unref();
    },
    async close(graceMs = 0) {
      closing = true;
      clearTimeout(timer);
      const late = setTimeout(() => ending.abort(), graceMs);
      // What is taken meanwhile is given back at once.
      await polling;
      await Promise.all([...walking.values()].map(({ done }) => done));
      clearTimeout(late);
      clearInterval(keeping);
      clearInterval(sweeping);
      await Promise.all([renewing, removing]);
    },
  };
}

/** How long a call that may take so long waits for a saga; the rest is left to its answer. */
function waitMs(timeoutMs: number): number {
  const answerMs = Math.min(Math.max(timeoutMs * ANSWER_SHARE, ANSWER_MS.least), ANSWER_MS.most, timeoutMs / 2);
  return timeoutMs - answerMs;
}

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(end, ms);
    signal.addEventListener("abort", end);
    function end() {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve();
    }
  });
}
