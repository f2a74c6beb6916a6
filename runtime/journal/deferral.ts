import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { DescMethod, Message } from "@bufbuild/protobuf";
import { Code, ConnectError, createHandlerContext } from "@connectrpc/connect";
import { backoffMs } from "../call/backoff.js";
import { isFinalCode } from "../call/final-codes.js";
import type { Handle, IncomingCall, ServerStage } from "../call/incoming-call.js";
import { propagated } from "../call/propagation.js";
import { codecOf } from "../codec/known.js";
import { jsonOf } from "../codec/protojson/write.js";
import { ConnectCall } from "../connect/connect-call.js";
import { Condition } from "../data/postgres/condition.js";
import { isDatabaseOutage, unavailable } from "../data/postgres/errors.js";
import { errorFor } from "../errors/error.js";
import type { Logger } from "../observe/log.js";
import type { ServedMethod } from "../server/served-method.js";
import { explainer } from "../server/stages/errors.js";
import type { Backoff } from "../spec/retry.js";
import { acceptedAnswer } from "./accepted.js";
import type { JournalEntry } from "./entry.js";
import { Journal } from "./journal.js";
import type { JournalMetrics } from "./metrics.js";

export interface DeferralOptions {
  readonly journal: Journal;
  readonly log: Logger;
  readonly metrics: JournalMetrics;
  /** The delays between attempts at a call. Default: from 100 ms to 1 s. */
  readonly retry?: Backoff;
}

/** A method whose calls can be deferred. */
interface Deferrable {
  readonly method: DescMethod;
  /** Runs the handler as for a call with these headers. */
  run(request: Message, headers: Headers): Promise<unknown>;
}

/** How long a call waits for deferred calls before it, once the database is back, until it is deferred itself. */
const TURN_MS = 1000;
const RETRY: Backoff = { initialBackoffMs: 100, maxBackoffMs: 1000, backoffMultiplier: 2 };
/** The number of attempts at a call that fails although the database answers. */
const ATTEMPTS = 10;

/**
 * Defers writes while the database is away. Once it is back, they run one after the other in the order in which they came, by the
 * same handler with the same key. While some are left, later calls of deferred methods wait for them or are deferred behind them, so
 * that none overtakes.
 */
export class Deferral {
  readonly #journal: Journal;
  readonly #log: Logger;
  readonly #metrics: JournalMetrics;
  readonly #retry: Backoff;
  readonly #methods = new Map<string, Deferrable>();
  /** The calls that are in the journal or being written to it, by method and key. */
  readonly #deferred = new Map<string, { readonly fingerprint: string; readonly added: Promise<unknown> }>();
  readonly #condition = new Condition();
  readonly #closing = new AbortController();
  /** Whether the last attempt met an outage of the database. */
  #isAway = true;
  #working: Promise<void> | undefined;

  constructor({ journal, log, metrics, retry = RETRY }: DeferralOptions) {
    this.#retry = retry;
    this.#journal = journal;
    this.#log = log;
    this.#metrics = metrics;
    metrics.queued.set(journal.size);
    for (const entry of journal.entries()) {
      this.#deferred.set(nameOf(entry), { fingerprint: entry.fingerprint, added: Promise.resolve() });
    }
  }

  /**
   * Returns the stage that defers a method's calls, or undefined if its contract does not enable it. Deferred calls run through the
   * stages behind it.
   */
  stage(served: ServedMethod): ServerStage | undefined {
    const { method, policy } = served;
    const { deferred } = policy;
    if (deferred === undefined) return undefined;
    return (next) => {
      const explain = explainer(served, this.#log);
      this.#methods.set(method.name, {
        method,
        run: (request, header) => runDeferred(served, request, header, explain, next),
      });
      return (call) => this.#call(method, deferred, call, async () => next(call));
    };
  }

  /** Starts to run the calls that are left in the journal. */
  start(): void {
    if (this.#journal.size > 0) {
      this.#log.info({ queued: this.#journal.size }, "deferred writes are left from before");
      this.#work();
    }
  }

  /** Runs a call, or defers it and returns a response that says so. */
  async #call(
    method: DescMethod,
    accepted: { readonly field: string; readonly value: number },
    call: IncomingCall,
    run: () => Promise<unknown>,
  ): Promise<unknown> {
    const { context } = call;
    const request = call.request as Message;
    const key = context.idempotencyKey;
    // Without an idempotency key a second attempt would repeat the write.
    if (key === undefined) return run();
    let outage: unknown;
    if (await this.#waitForTurn(context.timeoutMs())) {
      try {
        return await run();
      } catch (error) {
        if (!isDatabaseOutage(error)) throw error;
        outage = error;
      }
    }
    const fingerprint = createHash("sha256").update(context.fingerprint).digest("base64");
    try {
      await this.#defer(method, key, fingerprint, request, propagated(context));
    } catch (error) {
      if (error instanceof ConnectError) throw error;
      this.#log.error({ err: error, method: method.name }, "a write could not be deferred");
      throw outage ?? unavailable("the database does not answer");
    }
    return acceptedAnswer(method.input, method.output, request, accepted);
  }

  /** Writes a call to the journal, unless it is already in it or being written. */
  async #defer(
    method: DescMethod,
    key: string,
    fingerprint: string,
    request: Message,
    headers: Readonly<Record<string, string>>,
  ): Promise<void> {
    const name = nameOf({ method: method.name, key });
    const before = this.#deferred.get(name);
    if (before !== undefined) {
      if (before.fingerprint !== fingerprint) {
        throw errorFor(
          "IDEMPOTENCY_KEY_REUSED",
          `the key ${JSON.stringify(key)} came with another request before: send the same request again, or a new key`,
        );
      }
      await before.added;
      return;
    }
    const added = this.#journal.add({
      method: method.name,
      key,
      fingerprint,
      request: Buffer.from(codecOf(method.input).toBytes(request)).toString("base64"),
      headers,
      at: new Date().toISOString(),
    });
    this.#deferred.set(name, { fingerprint, added });
    try {
      await added;
    } catch (error) {
      this.#deferred.delete(name);
      throw error;
    }
    this.#metrics.accepted.add();
    this.#metrics.queued.set(this.#journal.size);
    this.#work();
  }

  /** Waits for the running call. The other calls stay in the journal for the next start. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#condition.tell();
    await this.#working;
    await this.#journal.close();
  }

  /** Waits for deferred calls, for half of a call's time at most. Returns whether none is left. */
  async #waitForTurn(timeoutMs = Number.POSITIVE_INFINITY): Promise<boolean> {
    const until = performance.now() + Math.min(TURN_MS, timeoutMs / 2);
    while (this.#journal.size > 0) {
      const left = until - performance.now();
      if (this.#isAway || left <= 0 || this.#closing.signal.aborted) return false;
      await this.#condition.change(left);
    }
    return true;
  }

  #work(): void {
    if (this.#closing.signal.aborted) return;
    this.#working ??= this.#runAll().finally(() => {
      this.#working = undefined;
      // A call may have been added since the loop ended.
      if (this.#journal.size > 0) this.#work();
    });
  }

  async #runAll(): Promise<void> {
    this.#isAway = true;
    let attempt = 0;
    // Attempts that met an outage are not failures of the call.
    let failures = 0;
    for (let [entry] = this.#journal.entries(); entry !== undefined; [entry] = this.#journal.entries()) {
      if (this.#closing.signal.aborted) return;
      try {
        attempt++;
        if (await this.#run(entry, failures + 1)) {
          attempt = 0;
          failures = 0;
          this.#deferred.delete(nameOf(entry));
          this.#metrics.queued.set(this.#journal.size);
          this.#condition.tell();
          continue;
        }
        if (!this.#isAway) failures++;
      } catch (error) {
        this.#log.error({ err: error }, "a deferred write stays in the journal: its end could not be written");
      }
      const delayMs = backoffMs(attempt, this.#retry);
      await sleep(delayMs, undefined, { signal: this.#closing.signal, ref: false }).catch(() => undefined);
    }
  }

  /** Runs a call that has failed so often, this time included if it fails. Returns false if it must be retried. */
  async #run(entry: JournalEntry, failures: number): Promise<boolean> {
    const known = this.#methods.get(entry.method);
    try {
      if (known === undefined) throw errorFor("METHOD_NOT_IMPLEMENTED", `there is no method ${entry.method} any more`);
      const request = codecOf(known.method.input).decode(Buffer.from(entry.request, "base64"));
      await known.run(request, new Headers(entry.headers));
      this.#isAway = false;
      this.#metrics.applied.add();
      await this.#journal.settle(entry);
      return true;
    } catch (error) {
      this.#isAway = isDatabaseOutage(error);
      const { code, rawMessage } = ConnectError.from(error);
      if (this.#isAway || (!isFinalCode(code) && failures < ATTEMPTS)) return false;
      await this.#journal.deadLetter(entry, { code: Code[code], reason: rawMessage, json: readable(known, entry) });
      this.#metrics.dead.add();
      const { method, key } = entry;
      this.#log.error({ method, key, code: Code[code], reason: rawMessage }, "a deferred write was refused");
      return true;
    }
  }
}

/** Runs a deferred call through the stages behind its own. Its caller has a response already. */
function runDeferred(
  { method, policy, propagation }: ServedMethod,
  request: Message,
  requestHeader: Headers,
  explain: (error: unknown) => ConnectError,
  next: Handle,
): Promise<unknown> {
  const { parent: service } = method;
  const from = { service, method, protocolName: "grpc", requestMethod: "POST", url: "", requestHeader };
  const call = new ConnectCall(createHandlerContext(from), method, policy, request, propagation);
  call.explain = explain;
  if (policy.timeoutMs !== undefined) call.limit(policy.timeoutMs);
  return call.run(next);
}

/** Opens the journal in a folder. `start` begins to run its calls. */
export async function openDeferral(
  directory: string,
  maxBytes: number,
  log: Logger,
  metrics: JournalMetrics,
): Promise<Deferral> {
  return new Deferral({ journal: await Journal.open({ directory, maxBytes, log }), log, metrics });
}

function nameOf({ method, key }: Pick<JournalEntry, "method" | "key">): string {
  return `${method}/${key}`;
}

/** Returns a request as JSON for a person, or undefined if it cannot be read. */
function readable(known: Deferrable | undefined, { request }: JournalEntry): unknown {
  try {
    if (known === undefined) return undefined;
    const { input } = known.method;
    return JSON.parse(jsonOf(input, codecOf(input).decode(Buffer.from(request, "base64"))));
  } catch {
    return undefined;
  }
}
