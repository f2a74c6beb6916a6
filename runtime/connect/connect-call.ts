import type { DescMethod } from "@bufbuild/protobuf";
import { Code, ConnectError, type HandlerContext } from "@connectrpc/connect";
import { CallContext } from "../call/call-context.js";
import { type Handle, IncomingCall, pathOf } from "../call/incoming-call.js";
import { onAbort } from "../call/on-abort.js";
import { type Propagation, standardPropagation } from "../call/propagation.js";
import { createMessage } from "../codec/create.js";
import { errorFor } from "../errors/error.js";
import type { MethodPolicy } from "../spec/policy.js";
import { errorExplainer } from "./error-explainer.js";

/** The maximum delay of a Node.js timer, in milliseconds. A timer with a longer one fires at once. */
const LONGEST_TIMER = 2 ** 31 - 1;

/** The abort reason for a handler's remaining work. It is shared, because a stack trace per call would be expensive. */
const callIsOver = errorFor("CALL_CANCELLED", "the call is over");

/**
 * A call that arrives through Connect's handlers: Connect, gRPC-Web, and gRPC over HTTP/1.1, over `node:http2` or in JSON.
 * Connect waits for a handler even if its call is over. This class does not: the caller gets its error as soon as the deadline
 * passes, the caller cancels or the process stops, even if the handler ignores its signal.
 */
export class ConnectCall extends IncomingCall {
  readonly requestHeader: Headers;
  readonly responseHeader: Headers;
  readonly responseTrailer: Headers;
  readonly #controller = new AbortController();
  readonly #unlinks: (() => void)[] = [];
  #timer: NodeJS.Timeout | undefined;
  /** The deadline by the monotonic clock, which does not change when the system's clock is set. */
  #expiresAt = Number.POSITIVE_INFINITY;
  #deadline: number | undefined;
  #isOver = false;
  /** Rejects the promise that the caller waits for. */
  #fail: (error: ConnectError) => void = () => undefined;

  constructor(
    from: HandlerContext,
    readonly method: DescMethod,
    policy: MethodPolicy,
    request: unknown,
    propagation: Propagation = standardPropagation,
  ) {
    super();
    this.request = request;
    this.context = new CallContext(this, policy, propagation);
    this.requestHeader = from.requestHeader;
    this.responseHeader = from.responseHeader;
    this.responseTrailer = from.responseTrailer;
    from.values.set(errorExplainer, (error) => this.explain(error));
    const timeoutMs = from.timeoutMs();
    // Connect enforces this deadline itself, by its signal.
    if (timeoutMs !== undefined) this.#expire(timeoutMs);
    const { signal } = from;
    if (signal.aborted) this.#end(this.#errorOf(signal));
    else this.#unlinks.push(onAbort(signal, () => this.#end(this.#errorOf(signal))));
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  get deadline(): number | undefined {
    return this.#deadline;
  }

  readonly timeoutMs = (): number | undefined =>
    this.#deadline === undefined ? undefined : this.#expiresAt - performance.now();

  header(name: string): string | undefined {
    return this.requestHeader.get(name) ?? undefined;
  }

  limit(timeoutMs: number): void {
    if (this.#isOver || performance.now() + timeoutMs >= this.#expiresAt) return;
    this.#expire(timeoutMs);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#end(this.#timedOut()), Math.min(timeoutMs, LONGEST_TIMER)).unref();
  }

  endWith(signal: AbortSignal, error: () => ConnectError): void {
    if (signal.aborted) this.#end(error());
    else if (!this.#isOver) this.#unlinks.push(onAbort(signal, () => this.#end(error())));
  }

  /** Runs the handler. Rejects with DEADLINE_EXCEEDED, CANCELED or UNAVAILABLE as soon as the call ends. */
  async run(handle: Handle): Promise<unknown> {
    try {
      const response = await this.#bounded(async () => handle(this));
      return createMessage(this.method.output, response as never);
    } catch (error) {
      throw this.explain(error);
    } finally {
      this.#close();
    }
  }

  /** Runs a handler that streams its responses. Throws as `run` rejects. Closes the handler's stream once the call is over. */
  async *runStream(handle: Handle): AsyncGenerator<unknown, void, undefined> {
    let iterator: AsyncIterator<unknown> | undefined;
    try {
      this.#throwIfOver();
      const responses = (handle(this) as AsyncIterable<unknown>)[Symbol.asyncIterator]();
      iterator = responses;
      for (;;) {
        const { done, value } = await this.#bounded(async () => responses.next());
        if (done) return;
        yield createMessage(this.method.output, value as never);
      }
    } catch (error) {
      throw this.explain(error);
    } finally {
      this.#close();
      // Not awaited: a stuck generator never returns.
      leave(iterator).catch(() => undefined);
    }
  }

  #bounded<T>(run: () => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#throwIfOver();
      this.#fail = reject;
      run().then(resolve, reject);
    });
  }

  #throwIfOver(): void {
    if (this.#isOver) throw this.signal.reason;
  }

  #expire(timeoutMs: number): void {
    this.#expiresAt = performance.now() + timeoutMs;
    this.#deadline = Date.now() + timeoutMs;
  }

  /** Ends the call before its response. */
  #end(reason: ConnectError): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#release();
    this.#controller.abort(reason);
    this.cancelled?.(reason);
    this.#fail(reason);
  }

  /** Ends the call after its response, or when its caller has left, and aborts the handler's remaining work. */
  #close(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#release();
    this.#controller.abort(callIsOver);
  }

  #release(): void {
    clearTimeout(this.#timer);
    for (const unlink of this.#unlinks) unlink();
  }

  /** Returns the caller's error for the reason with which Connect aborted the call. */
  #errorOf({ reason }: AbortSignal): ConnectError {
    // A process that stops aborts its calls with UNAVAILABLE. Other codes mean a broken connection: the caller has left.
    if (reason instanceof ConnectError && (reason.code === Code.DeadlineExceeded || reason.code === Code.Unavailable)) {
      return reason;
    }
    if ((this.timeoutMs() ?? 1) <= 0) return this.#timedOut();
    return errorFor("CALL_CANCELLED", `${pathOf(this.method)} was canceled`, { cause: reason });
  }

  #timedOut(): ConnectError {
    return errorFor("DEADLINE_EXCEEDED", `${pathOf(this.method)} did not answer in time`);
  }
}

async function leave(iterator: AsyncIterator<unknown> | undefined): Promise<void> {
  await iterator?.return?.();
}
