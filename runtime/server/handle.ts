import type { DescMethod, Message } from "@bufbuild/protobuf";
import { Code, ConnectError, type ConnectRouter, type HandlerContext } from "@connectrpc/connect";
import { ActiveCall, activeCall, runAs, staleAgeHeader } from "../call/active-call.js";
import type { Context, KeyedContext } from "../call/context.js";
import { onAbort } from "../call/on-abort.js";
import { type ClearOutputOnly, clearsOutputOnly } from "../call/output-only.js";
import { OwnCall } from "../call/own-call.js";
import { validateMessage } from "../call/validate.js";
import { createMessage } from "../codec/create.js";
import { LoneSurrogateError } from "../codec/lone-surrogate.js";
import { own } from "../codec/message.js";
import { explains } from "../connect/explain.js";
import { responseMinBytes } from "../grpc/method-compression.js";
import type { Deferral } from "../journal/deferral.js";
import type { Logger } from "../observe/log.js";
import type { Metrics } from "../observe/metrics.js";
import { timedCall, timingRequestHeader } from "../observe/timing.js";
import type { MethodPolicy } from "../spec/policy.js";
import type { ServiceSpec } from "../spec/service.js";
import { abortError, bound, boundStream, createContext } from "./deadline.js";
import { OwnContext } from "./own-context.js";

/** A handler as a user writes it, its types forgotten. */
type Handler = (request: unknown, context: Context) => unknown;

/** What guards every call of a service. */
export interface Surroundings {
  readonly log: Logger;
  /** Counts of a service that owns data; undefined: it owns none. */
  readonly metrics?: Metrics;
  /** Takes down writes that meet an outage of the database; undefined: they fail. */
  readonly deferral?: Deferral;
  /** Aborted when the process begins to drain: streams, which might go on for ever, end then with UNAVAILABLE. */
  readonly draining: AbortSignal;
}

/** Puts the handlers of a service behind what every call goes through: context, deadline, validation, errors. */
export function handlerRoutes(
  { service, policy, name }: ServiceSpec,
  handlers: object,
  surroundings: Surroundings,
): (router: ConnectRouter) => void {
  const implementation = service.methods.map((method) => {
    const handler = own(handlers as Record<string, Handler>, method.localName);
    if (handler === undefined) throw new Error(`${service.name}.${method.localName} has no handler: write one`);
    const bounds: MethodPolicy = own(policy, method.localName) ?? {};
    const compressMinBytes = responseMinBytes(bounds.compression);
    const guarded = guard(method, bounds, name, handler.bind(handlers), surroundings);
    return [method, guarded, compressMinBytes === undefined ? undefined : { compressMinBytes }] as const;
  });
  return (router) => {
    for (const [method, guarded, options] of implementation) router.rpc(method as never, guarded as never, options);
  };
}

function guard(method: DescMethod, policy: MethodPolicy, name: string, handler: Handler, around: Surroundings) {
  const { methodKind, input } = method;
  const answers = methodKind === "unary" || methodKind === "client_streaming" ? "one" : "many";
  const takesMany = methodKind === "client_streaming" || methodKind === "bidi_streaming";
  const { deferral } = around;
  if (policy.deferred !== undefined) deferral?.register({ method, make });
  const connects = answers === "one" ? answer : stream;
  const handle = (request: unknown, from: HandlerContext) =>
    from instanceof OwnCall ? native(request, from) : connects(request, from);
  const clear = clearsOutputOnly(input);
  if (clear === undefined) return handle;
  return (request: unknown, from: HandlerContext) => handle(cleared(request, clear), from);

  /** Our own transport ends a call by itself, so nothing has to be put around the handler. */
  function native(request: unknown, from: OwnCall): unknown {
    from.explain = tell;
    if (policy.timeoutMs !== undefined) from.limit(policy.timeoutMs);
    const context = new OwnContext(from, method, policy, request);
    const call = active(context, request);
    if (call !== undefined) from.cancelled = (reason) => call.cancel(reason);
    if (answers === "many") {
      from.endWith(around.draining, leave);
      const messages = runAs(call, () => handler(valid(request), context)) as AsyncIterable<unknown>;
      return call === undefined ? messages : steppedAs(call, messages);
    }
    const isDeferred = deferral !== undefined && policy.deferred !== undefined;
    const live = () => (isDeferred ? run(request, context) : handler(valid(request), context));
    const isTimed = from.header(timingRequestHeader) === "1";
    return runAs(call, isTimed ? () => timedCall(from, name, method.name, async () => live()) : live);
  }

  async function answer(request: unknown, from: HandlerContext) {
    from.values.set(explains, tell);
    const { context, dispose } = createContext(from, method, policy, request);
    const { call, unfollow } = following(context, request);
    try {
      const result = await runAs(call, () => timedCall(from, name, method.name, () => run(request, context)));
      return createMessage(method.output, result as never);
    } catch (error) {
      throw tell(error);
    } finally {
      unfollow();
      dispose();
    }
  }

  async function run(request: unknown, context: KeyedContext<never>): Promise<unknown> {
    const message = valid(request);
    const live = () => bound(context, async () => handler(message, context));
    const { deferred } = policy;
    if (deferral === undefined || deferred === undefined) return live();
    return deferral.call({ method, answer: deferred }, context, message as Message, live);
  }

  /** Runs the handler for a call that was taken down before. */
  async function make(request: Message, requestHeader: Headers): Promise<unknown> {
    const nobody = { signal: new AbortController().signal, timeoutMs: () => undefined };
    const headers = { requestHeader, responseHeader: new Headers(), responseTrailer: new Headers() };
    const { context, dispose } = createContext({ ...nobody, ...headers } as HandlerContext, method, policy, request);
    const { call, unfollow } = following(context, request);
    try {
      return await runAs(call, () => bound(context, async () => handler(request, context)));
    } catch (error) {
      throw tell(error);
    } finally {
      unfollow();
      dispose();
    }
  }

  async function* stream(request: unknown, from: HandlerContext) {
    from.values.set(explains, tell);
    const { signal, unlink } = link(from.signal, around.draining);
    const { context, dispose } = createContext({ ...from, signal }, method, policy, request);
    const { call, unfollow } = following(context, request);
    try {
      const messages = runAs(call, () => handler(valid(request), context)) as AsyncIterable<unknown>;
      const stepped = call === undefined ? messages : steppedAs(call, messages);
      for await (const message of boundStream(context, stepped)) yield createMessage(method.output, message as never);
    } catch (error) {
      throw tell(error);
    } finally {
      unfollow();
      dispose();
      unlink();
    }
  }

  /** What the data behind the handler is to know of the call. */
  function active(context: Context, request: unknown): ActiveCall | undefined {
    const { metrics } = around;
    if (metrics === undefined) return undefined;
    const now = performance.now();
    const leftMs = context.timeoutMs();
    let oldestMs = -1;
    return new ActiveCall({
      request: takesMany ? undefined : { schema: input, message: request as Message },
      replicas: policy.replicas === true,
      deadline: leftMs === undefined ? undefined : now + leftMs,
      // Whoever has waited in vain needs time for something else.
      patientUntil: leftMs === undefined ? undefined : now + leftMs / 2,
      stale(ageMs) {
        if (oldestMs < 0) metrics.staleAnswer();
        oldestMs = Math.max(oldestMs, Math.ceil(ageMs));
        context.responseHeader.set(staleAgeHeader, String(oldestMs));
        // The headers of a stream may have gone already.
        if (answers === "many") context.responseTrailer.set(staleAgeHeader, String(oldestMs));
      },
    });
  }

  /** The same, cancelled when the context's signal is aborted, until `unfollow`: what ends after that was answered. */
  function following(context: Context, request: unknown): { readonly call: ActiveCall | undefined; unfollow(): void } {
    const call = active(context, request);
    if (call === undefined) return { call, unfollow: () => undefined };
    const { signal } = context;
    const cancel = () => call.cancel(abortError(context));
    const unfollow = onAbort(signal, cancel);
    if (signal.aborted) cancel();
    return { call, unfollow };
  }

  /** Refuses a request that breaks its rules; of a stream of requests, each as it comes. */
  function valid(request: unknown): unknown {
    if (takesMany) return eachValid(request as AsyncIterable<unknown>);
    validateMessage(input, request);
    return request;
  }

  /** Before anything else is done with a request, so that two that differ in such fields only are one. */
  function cleared(request: unknown, clear: ClearOutputOnly): unknown {
    if (takesMany) return eachCleared(request as AsyncIterable<Message>, clear);
    clear(request as Message);
    return request;
  }

  async function* eachCleared(requests: AsyncIterable<Message>, clear: ClearOutputOnly) {
    for await (const request of requests) {
      clear(request);
      yield request;
    }
  }

  async function* eachValid(requests: AsyncIterable<unknown>) {
    for await (const request of requests) {
      validateMessage(input, request);
      // The handler asks for it, as part of the call.
      const call = activeCall();
      if (call !== undefined) call.request = { schema: input, message: request as Message };
      yield request;
    }
  }

  /** The error for the caller. What nobody foresaw is written down here, and told to nobody else. */
  function tell(error: unknown): ConnectError {
    const foreseen = error instanceof ConnectError && error.code !== Code.Internal && error.code !== Code.Unknown;
    if (foreseen) return error;
    around.log.error({ err: error, method: method.toString() }, "a handler failed");
    // Names a field, and no value.
    if (error instanceof LoneSurrogateError) {
      return new ConnectError(error.message, Code.Internal, undefined, undefined, error);
    }
    return error instanceof ConnectError
      ? error
      : new ConnectError("internal error", Code.Internal, undefined, undefined, error);
  }
}

/** Has each step of a stream run as part of the call: a generator runs as part of whoever asks it. */
function steppedAs<T>(call: ActiveCall, messages: AsyncIterable<T>): AsyncIterable<T> {
  return {
    [Symbol.asyncIterator]() {
      const iterator = messages[Symbol.asyncIterator]();
      return {
        next: () => runAs(call, () => iterator.next()),
        return: async () => (await runAs(call, () => iterator.return?.())) ?? { done: true, value: undefined },
      };
    },
  };
}

/** What ends a stream when the process begins to drain. */
function leave(): ConnectError {
  return new ConnectError("the server is shutting down: call again", Code.Unavailable);
}

/** A signal that follows a call's own and the process's, without leaving a listener behind. */
function link(call: AbortSignal, draining: AbortSignal): { signal: AbortSignal; unlink(): void } {
  const controller = new AbortController();
  const follow = () => controller.abort(call.reason);
  const drain = () => controller.abort(leave());
  const unlinks = [onAbort(call, follow), onAbort(draining, drain)];
  if (call.aborted) follow();
  else if (draining.aborted) drain();
  return {
    signal: controller.signal,
    unlink() {
      for (const unlink of unlinks) unlink();
    },
  };
}
