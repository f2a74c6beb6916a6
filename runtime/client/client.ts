import type {
  DescMethod,
  DescMethodBiDiStreaming,
  DescMethodClientStreaming,
  DescMethodServerStreaming,
  DescMethodUnary,
  DescService,
  MessageInitShape,
  MessageShape,
} from "@bufbuild/protobuf";
import { type CallOptions, createClient, type Transport } from "@connectrpc/connect";
import type { Context } from "../call/context.js";
import { onAbort } from "../call/on-abort.js";
import type { Codec } from "../codec/codec.js";
import { eachExplicit, explicit } from "../codec/create.js";
import { know } from "../codec/known.js";
import { own } from "../codec/message.js";
import { knowCompression } from "../grpc/method-compression.js";
import type { MethodPolicy, ServicePolicy } from "../spec/policy.js";
import { callOptions, wholeMs } from "./call-options.js";
import { peerError, wasRefused } from "./error.js";
import { grpcTransport } from "./transport.js";

/** Where a service is, and how it is reached. */
export interface ClientOptions {
  /**
   * Its address: `http://127.0.0.1:8081`. Calls go over HTTP/2, as gRPC, on one connection to each origin; with TLS to
   * `https://…`, by what the environment's TLS_CA_FILE, TLS_CERT_FILE and TLS_KEY_FILE say.
   */
  readonly baseUrl?: string;
  /** Whether long messages are sent compressed with gzip, and asked for. Default: as the contract says, else the environment's RPC_COMPRESSION. */
  readonly compress?: boolean;
  /** Used instead of `baseUrl`: another protocol, or a service in memory. It compresses as it was made to. */
  readonly transport?: Transport;
}

/**
 * Calls a service. A handler gives the context of the call that it answers, which bounds this one: the time that is left
 * and the caller's cancellation hold, and the trace goes on. Code outside a handler may give Connect's call options.
 *
 * A call to a peer that cannot be reached, or whose connection breaks, fails with UNAVAILABLE. A call with streamed
 * answers begins when its first answer is asked for, and is cancelled when its consumer stops early.
 */
export type ServiceClient<S extends DescService> = {
  [M in keyof S["method"]]: S["method"][M] extends DescMethodUnary<infer I, infer O>
    ? (request: MessageInitShape<I>, context?: Context | CallOptions) => Promise<MessageShape<O>>
    : S["method"][M] extends DescMethodServerStreaming<infer I, infer O>
      ? (request: MessageInitShape<I>, context?: Context | CallOptions) => AsyncIterable<MessageShape<O>>
      : S["method"][M] extends DescMethodClientStreaming<infer I, infer O>
        ? (requests: AsyncIterable<MessageInitShape<I>>, context?: Context | CallOptions) => Promise<MessageShape<O>>
        : S["method"][M] extends DescMethodBiDiStreaming<infer I, infer O>
          ? (
              requests: AsyncIterable<MessageInitShape<I>>,
              context?: Context | CallOptions,
            ) => AsyncIterable<MessageShape<O>>
          : never;
};

/** A method of Connect's client, its types forgotten. */
type Call<Answer> = (request: unknown, options: CallOptions) => Answer;

/**
 * A client of `service` that keeps to the contract's policy: no call takes longer than it says.
 *
 * @param codecs those of the messages that it takes and answers, where they are generated
 */
export function createServiceClient<S extends DescService>(
  service: S,
  policy: ServicePolicy<S>,
  { baseUrl, transport, compress }: ClientOptions,
  codecs: readonly Codec[] = [],
): ServiceClient<S> {
  know(codecs);
  knowCompression(service, policy);
  if (!transport && !baseUrl) throw new Error(`a client of ${service.typeName} needs a baseUrl or a transport`);
  const through = transport ?? grpcTransport(baseUrl as string, compress);
  const client = createClient(service, through) as Record<string, unknown>;
  // Another transport makes messages of its own with protobuf-es; ours write what they are given.
  const exactly = transport === undefined ? <T>(_: DescMethod, call: Call<T>) => call : explicitly;
  const methods = service.methods.map((method) => {
    const call = client[method.localName];
    const rules = own(policy, method.localName as keyof S["method"]) ?? {};
    const path = `${service.typeName}/${method.name}`;
    const { methodKind } = method;
    return [
      method.localName,
      methodKind === "unary" || methodKind === "client_streaming"
        ? one(path, rules, exactly(method, call as Call<Promise<unknown>>), methodKind === "unary")
        : many(path, rules, exactly(method, call as Call<AsyncIterable<unknown>>)),
    ];
  });
  return Object.fromEntries(methods);
}

/** A call whose request has no more values than its own. */
function explicitly<T>({ methodKind, input }: DescMethod, call: Call<T>): Call<T> {
  const isStream = methodKind === "client_streaming" || methodKind === "bidi_streaming";
  if (isStream) return (request, options) => call(eachExplicit(input, request as AsyncIterable<unknown>), options);
  return (request, options) => call(explicit(input, request), options);
}

function one(path: string, policy: MethodPolicy, call: Call<Promise<unknown>>, repeatable: boolean) {
  return async (request: unknown, context?: Context | CallOptions) => {
    const options = callOptions(path, policy, context);
    const started = performance.now();
    try {
      return await call(request, options).catch((error) => {
        if (!repeatable || !wasRefused(error)) throw error;
        // gRPC's transparent retry: a connection that is being closed refused the call before its peer had seen it, so
        // that a service which drains costs its callers nothing.
        const timeoutMs = options.timeoutMs && wholeMs(options.timeoutMs - (performance.now() - started));
        return call(request, { ...options, timeoutMs });
      });
    } catch (error) {
      throw peerError(error, path, options);
    }
  };
}

function many(path: string, policy: MethodPolicy, call: Call<AsyncIterable<unknown>>) {
  return async function* (request: unknown, context?: Context | CallOptions) {
    const options = callOptions(path, policy, context);
    // Connect's own iterable cannot be left early: without this, a call that nobody reads any more would go on.
    const left = new AbortController();
    const follow = () => left.abort(options.signal?.reason);
    if (options.signal?.aborted) follow();
    const unfollow = options.signal && onAbort(options.signal, follow);
    try {
      yield* call(request, { ...options, signal: left.signal });
    } catch (error) {
      throw peerError(error, path, options);
    } finally {
      unfollow?.();
      left.abort();
    }
  };
}
