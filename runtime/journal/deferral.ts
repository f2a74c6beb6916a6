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
import type { Logger } from "../observe/log.js";
import type { ServedMethod } from "../server/served-method.js";
import { explainer } from "../server/stages/errors.js";
import type { Backoff } from "../spec/retry.js";
import { acceptedAnswer } from "./accepted.js";
import type { Entry } from "./entry.js";
import { Journal } from "./journal.js";
import type { JournalMetrics } from "./metrics.js";

export interface DeferralOptions {
  readonly journal: Journal;
  readonly log: Logger;
  readonly metrics: JournalMetrics;
}

/** A method that may be deferred, and how it is made later. */
interface Deferrable {
  readonly method: DescMethod;
  /** Runs the handler, as for a call with these headers. */
  make(request: Message, headers: Headers): Promise<unknown>;
}

/** How long a call waits for those before it, once the database is back, before it is taken down too. */
const TURN_MS = 1000;
const RETRY: Backoff = { initialBackoffMs: 100, maxBackoffMs: 1000, backoffMultiplier: 2 };
/** How often a call that fails for another reason than the database's being away is made, before it is given up. */
const ATTEMPTS = 10;

/**
 * Writes that meet an outage of the database, and are made when it is over: one after the other, in the order in which
 * they came, by the same handler with the same key. While some are left, later calls of such methods wait for them, or
 * queue up behind them, so that none overtakes.
 */
export class Deferral {
  readonly #journal: Journal;
  readonly #log: Logger;
  readonly #metrics: JournalMetrics;
  readonly #methods = new Map<string, Deferrable>();
  /** The calls in the journal, and on their way there, by method and key. */
  readonly #taken = new Map<string, { readonly fingerprint: string; readonly added: Promise<unknown> }>();
  readonly #condition = new Condition();
  readonly #closing = new AbortController();
  /** Whether the last call that was to be made met an outage. */
  #away = true;
  #working: Promise<void> | undefined;

  constructor({ journal, log, metrics }: DeferralOptions) {
    this.#journal = journal;
    this.#log = log;
    this.#metrics = metrics;
    metrics.queued.set(journal.size);
    for (const entry of journal.entries()) {
      this.#taken.set(nameOf(entry), { fingerprint: entry.fingerprint, added: Promise.resolve() });
    }
  }

  /**
   * Returns what puts off a method's writes while the database is away; undefined if its contract does not say so. What it
   * has put off is made by the stages and the handler behind it.
   */
  stage(served: ServedMethod): ServerStage | undefined {
    const { method, policy } = served;
    const { deferred } = policy;
    if (deferred === undefined) return undefined;
    return (next) => {
      const explain = explainer(served, this.#log);
      this.#methods.set(method.name, {
        method,
        make: (request, header) => remade(served, request, header, explain, next),
      });
      return (call) => this.#call(method, deferred, call, async () => next(call));
    };
  }

  /** Begins to make what is left from before. */
  start(): void {
    if (this.#journal.size > 0) {
      this.#log.info({ queued: this.#journal.size }, "deferred writes are left from before");
      this.#work();
    }
  }

  /** Runs a call, or takes it down and answers that it was accepted. */
  async #call(
    method: DescMethod,
    accepted: { readonly field: string; readonly value: number },
    call: IncomingCall,
    run: () => Promise<unknown>,
  ): Promise<unknown> {
    const { context } = call;
    const request = call.request as Message;
    const key = context.idempotencyKey;
    // Without a key nobody could tell whether it was made already.
    if (key === undefined) return run();
    let outage: unknown;
    if (await this.#turn(context.timeoutMs())) {
      try {
        return await run();
      } catch (error) {
        if (!isDatabaseOutage(error)) throw error;
        outage = error;
      }
    }
    const fingerprint = createHash("sha256").update(context.fingerprint).digest("base64");
    try {
      await this.#take(method, key, fingerprint, request, context.requestHeader);
    } catch (error) {
      if (error instanceof ConnectError) throw error;
      this.#log.error({ err: error, method: method.name }, "a write could not be deferred");
      throw outage ?? unavailable("the database does not answer");
    }
    return acceptedAnswer(method.input, method.output, request, accepted);
  }

  /** Takes a call down; one that was taken down already, or is being so, only once. */
  async #take(
    method: DescMethod,
    key: string,
    fingerprint: string,
    request: Message,
    requestHeader: Headers,
  ): Promise<void> {
    const name = nameOf({ method: method.name, key });
    const before = this.#taken.get(name);
    if (before !== undefined) {
      if (before.fingerprint !== fingerprint) {
        throw new ConnectError(
          `the key ${JSON.stringify(key)} came with another request before: send the same request again, or a new key`,
          Code.InvalidArgument,
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
      headers: propagated(requestHeader),
      at: new Date().toISOString(),
    });
    this.#taken.set(name, { fingerprint, added });
    try {
      await added;
    } catch (error) {
      this.#taken.delete(name);
      throw error;
    }
    this.#metrics.accepted.add();
    this.#metrics.queued.set(this.#journal.size);
    this.#work();
  }

  /** Ends when what is being made is made; what is left stays for the next start. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#condition.tell();
    await this.#working;
    await this.#journal.close();
  }

  /** Whether a call may run now: nothing is left that came before it. It waits no longer than half of the time that it has. */
  async #turn(timeoutMs = Number.POSITIVE_INFINITY): Promise<boolean> {
    const until = performance.now() + Math.min(TURN_MS, timeoutMs / 2);
    while (this.#journal.size > 0) {
      const left = until - performance.now();
      if (this.#away || left <= 0 || this.#closing.signal.aborted) return false;
      await this.#condition.change(left);
    }
    return true;
  }

  #work(): void {
    if (this.#closing.signal.aborted) return;
    this.#working ??= this.#makeAll().finally(() => {
      this.#working = undefined;
      // Something may have come since the last look.
      if (this.#journal.size > 0) this.#work();
    });
  }

  async #makeAll(): Promise<void> {
    this.#away = true;
    let attempt = 0;
    for (let [entry] = this.#journal.entries(); entry !== undefined; [entry] = this.#journal.entries()) {
      if (this.#closing.signal.aborted) return;
      try {
        if (await this.#make(entry, ++attempt)) {
          attempt = 0;
          this.#taken.delete(nameOf(entry));
          this.#metrics.queued.set(this.#journal.size);
          this.#condition.tell();
          continue;
        }
      } catch (error) {
        this.#log.error({ err: error }, "a deferred write stays, since its end cannot be written down");
      }
      const delayMs = backoffMs(attempt, RETRY);
      await sleep(delayMs, undefined, { signal: this.#closing.signal, ref: false }).catch(() => undefined);
    }
  }

  /** Makes a call. False: it is to be made again. */
  async #make(entry: Entry, attempt: number): Promise<boolean> {
    const known = this.#methods.get(entry.method);
    try {
      if (known === undefined)
        throw new ConnectError(`there is no method ${entry.method} any more`, Code.Unimplemented);
      const request = codecOf(known.method.input).decode(Buffer.from(entry.request, "base64"));
      await known.make(request, new Headers(entry.headers));
      this.#away = false;
      this.#metrics.applied.add();
      await this.#journal.settle(entry);
      return true;
    } catch (error) {
      this.#away = isDatabaseOutage(error);
      const { code, rawMessage } = ConnectError.from(error);
      if (this.#away || (!isFinalCode(code) && attempt < ATTEMPTS)) return false;
      await this.#journal.bury(entry, { code: Code[code], reason: rawMessage, json: readable(known, entry) });
      this.#metrics.dead.add();
      const { method, key } = entry;
      this.#log.error({ method, key, code: Code[code], reason: rawMessage }, "a deferred write was refused");
      return true;
    }
  }
}

/** Makes a call that was taken down, by what stands behind the stage that took it down. Nobody waits for it. */
function remade(
  { method, policy }: ServedMethod,
  request: Message,
  requestHeader: Headers,
  explain: (error: unknown) => ConnectError,
  next: Handle,
): Promise<unknown> {
  const { parent: service } = method;
  const from = { service, method, protocolName: "grpc", requestMethod: "POST", url: "", requestHeader };
  const call = new ConnectCall(createHandlerContext(from), method, policy, request);
  call.explain = explain;
  if (policy.timeoutMs !== undefined) call.limit(policy.timeoutMs);
  return call.answer(next);
}

/** Opens the journal in a folder, and defers by it. `start` begins to make what is in it. */
export async function openDeferral(
  directory: string,
  maxBytes: number,
  log: Logger,
  metrics: JournalMetrics,
): Promise<Deferral> {
  return new Deferral({ journal: await Journal.open({ directory, maxBytes, log }), log, metrics });
}

function nameOf({ method, key }: Pick<Entry, "method" | "key">): string {
  return `${method}/${key}`;
}

/** The request for the eyes of a person. */
function readable(known: Deferrable | undefined, { request }: Entry): unknown {
  try {
    if (known === undefined) return undefined;
    const { input } = known.method;
    return JSON.parse(jsonOf(input, codecOf(input).decode(Buffer.from(request, "base64"))));
  } catch {
    return undefined;
  }
}
