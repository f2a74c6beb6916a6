import type { DescMethod, Message } from "@bufbuild/protobuf";
import { Code, ConnectError, type HandlerContext } from "@connectrpc/connect";
import type { Context, KeyedContext } from "../call/context.js";
import { fingerprint, wholeFingerprint } from "../call/fingerprint.js";
import { own } from "../codec/message.js";
import type { MethodPolicy } from "../spec/policy.js";

/**
 * The context of one call. Its deadline is the caller's or the contract's, whichever is earlier. `dispose` must be
 * called when the call is over: it takes the timer and the listener away, and aborts what the handler left running.
 */
export function createContext(
  from: HandlerContext,
  method: DescMethod,
  policy: MethodPolicy,
  request?: unknown,
): { readonly context: KeyedContext<never>; dispose(): void } {
  const begun = performance.now();
  const callers = from.timeoutMs();
  const contracts = policy.timeoutMs;
  const limit = callers === undefined ? contracts : Math.min(callers, contracts ?? Number.POSITIVE_INFINITY);
  const isOwn = limit !== undefined && limit !== callers;
  const { signal, dispose } = isOwn ? withDeadline(from.signal, limit, method) : { signal: from.signal, dispose() {} };
  const { requestHeader, responseHeader, responseTrailer } = from;
  const context: KeyedContext<never> = {
    method,
    signal,
    deadline: limit === undefined ? undefined : Date.now() + limit,
    idempotencyKey: idempotencyKeyOf(request, policy),
    requestHeader,
    responseHeader,
    responseTrailer,
    timeoutMs: () => (limit === undefined ? undefined : Math.max(0, Math.floor(begun + limit - performance.now()))),
    // Computed only for those who ask: most calls have no use for it.
    get fingerprint() {
      return fingerprint(method.input, request as Message, policy);
    },
    get wholeFingerprint() {
      return wholeFingerprint(method.input, request as Message, policy);
    },
  };
  return { context, dispose };
}

/**
 * Runs a handler, and fails with DEADLINE_EXCEEDED or CANCELED as soon as the call's signal says so, even if the handler
 * does not listen to it. What the handler does after that reaches nobody.
 */
export function bound<T>(context: Context, run: () => Promise<T>): Promise<T> {
  const { signal } = context;
  if (signal.aborted) return Promise.reject(abortError(context));
  return new Promise<T>((resolve, reject) => {
    const stop = () => reject(abortError(context));
    signal.addEventListener("abort", stop);
    const settled = () => signal.removeEventListener("abort", stop);
    invoke(run).then(resolve, reject).finally(settled);
  });
}

/** `bound` for a handler that answers with a stream: it also closes the handler's stream once the call is over. */
export async function* boundStream<T>(context: Context, answers: AsyncIterable<T>): AsyncGenerator<T, void, undefined> {
  const { signal } = context;
  const iterator = answers[Symbol.asyncIterator]();
  // One listener for the whole stream. Racing each step against one promise would keep every step's memory until the end.
  let fail: (error: ConnectError) => void = () => undefined;
  const stop = () => fail(abortError(context));
  signal.addEventListener("abort", stop);
  try {
    while (!signal.aborted) {
      const next = await new Promise<IteratorResult<T>>((resolve, reject) => {
        fail = reject;
        invoke(() => iterator.next()).then(resolve, reject);
      });
      if (next.done) return;
      yield next.value;
    }
    throw abortError(context);
  } finally {
    signal.removeEventListener("abort", stop);
    // Not waited for: a generator that is stuck never returns.
    invoke(async () => iterator.return?.()).catch(() => undefined);
  }
}

/** Why a call was aborted, as the error that its caller gets. */
export function abortError(context: Pick<Context, "signal" | "timeoutMs" | "method">): ConnectError {
  const { reason } = context.signal;
  // A process that shuts down aborts its calls with UNAVAILABLE. Other codes say how a connection broke: the caller left.
  if (reason instanceof ConnectError && (reason.code === Code.DeadlineExceeded || reason.code === Code.Unavailable)) {
    return reason;
  }
  if (context.timeoutMs() === 0) return deadlineError(context.method);
  return new ConnectError(`${pathOf(context.method)} was canceled`, Code.Canceled, undefined, undefined, reason);
}

function deadlineError(method: DescMethod): ConnectError {
  return new ConnectError(`${pathOf(method)} did not answer in time`, Code.DeadlineExceeded);
}

function pathOf(method: DescMethod): string {
  return `${method.parent.typeName}/${method.name}`;
}

/** A signal that follows `parent`, and is aborted after `timeoutMs` at the latest. */
function withDeadline(parent: AbortSignal, timeoutMs: number, method: DescMethod) {
  const controller = new AbortController();
  const follow = () => abort(parent.reason);
  // Node.js fires timers at once that are set for later than this.
  const timer = setTimeout(() => abort(deadlineError(method)), Math.min(timeoutMs, 2 ** 31 - 1)).unref();
  parent.addEventListener("abort", follow);
  if (parent.aborted) follow();
  return { signal: controller.signal, dispose: () => abort(callIsOver) };

  function abort(reason: unknown) {
    clearTimeout(timer);
    parent.removeEventListener("abort", follow);
    controller.abort(reason);
  }
}

/** Made once, because a reason of its own, with a stack, for every call is what would cost most in ending one. */
const callIsOver = new ConnectError("the call is over", Code.Canceled);

/** The idempotency key in a request; undefined if its method declares none, or the caller sent none. */
export function idempotencyKeyOf(request: unknown, { idempotencyKey }: MethodPolicy): string | undefined {
  if (idempotencyKey === undefined || typeof request !== "object" || request === null) return undefined;
  return own(request as Record<string, unknown>, idempotencyKey)?.toString() || undefined;
}

/** Calls a function that may throw before it answers with its promise. */
async function invoke<T>(run: () => Promise<T>): Promise<T> {
  return run();
}
