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
import type { CallOptions, Transport } from "@connectrpc/connect";
import type { Context } from "../call/context.js";
import type { Codec } from "../codec/codec.js";
import { eachExplicit, explicit } from "../codec/create.js";
import { know } from "../codec/known.js";
import { own } from "../codec/message.js";
import { registerCompression } from "../grpc/method-compression.js";
import type { ServicePolicy } from "../spec/policy.js";
import type { Carrier } from "./attempt.js";
import { clientChain } from "./chain.js";
import { type Connections, sharedConnections } from "./connections.js";
import { nodeFailure } from "./node-failures.js";
import { type ClientStage, outgoingCall, type Send } from "./outgoing-call.js";

/** Where a service is, and how it is reached. */
export interface ClientOptions {
  /** Its address: `http://127.0.0.1:8081`. Calls go over HTTP/2, as gRPC, on one connection to each origin; with TLS to `https://…`. */
  readonly baseUrl?: string;
  /**
   * The connections that calls go on: they say whose HTTP/2 it is, whom an https:// address is believed, and whether calls are
   * compressed. Default: those that all such clients of the process share, native, with the authorities of Node.js and without
   * compression, whatever the environment says.
   */
  readonly connections?: Connections;
  /** Whether long messages are sent compressed with gzip, and asked for. Default: as the contract says, else the connections. */
  readonly compress?: boolean;
  /** Used instead of `baseUrl`: another protocol, or a service in memory. It compresses as it was made to. */
  readonly transport?: Transport;
  /**
   * Run around every call, the first outermost: within the contract's deadline, and around all attempts. Unlike interceptors of
   * Connect's they leave the calls on their fast way.
   *
   *     const tenant: ClientStage = (next) => (call) => {
   *       call.requestHeader.set("x-tenant", "7");
   *       return next(call);
   *     };
   */
  readonly interceptors?: readonly ClientStage[];
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

/**
 * A client of `service` that keeps to the contract's policy: no call takes longer than it says.
 *
 * @param codecs those of the messages that it takes and answers, where they are generated
 */
export function createServiceClient<S extends DescService>(
  service: S,
  policy: ServicePolicy<S>,
  options: ClientOptions,
  codecs: readonly Codec[] = [],
): ServiceClient<S> {
  know(codecs);
  registerCompression(service, policy);
  const { interceptors = [] } = options;
  const carrier = carrierOf(service, options);
  const methods = service.methods.map((method) => {
    const rules = own(policy, method.localName as keyof S["method"]) ?? {};
    const send = clientChain(method, { policy: rules, interceptors, carrier });
    const { methodKind } = method;
    const call = methodKind === "unary" || methodKind === "client_streaming" ? one(method, send) : many(method, send);
    return [method.localName, call];
  });
  return Object.fromEntries(methods);
}

/** Throws an Error if the options do not say where the service is. */
function carrierOf({ typeName }: DescService, options: ClientOptions): Carrier {
  const { baseUrl, transport, compress, connections = sharedConnections() } = options;
  if (transport) return given(transport);
  if (!baseUrl) throw new Error(`a client of ${typeName} needs a baseUrl or a transport`);
  return connections.carrierTo(baseUrl, compress);
}

type Given = Context | CallOptions | undefined;

function one(method: DescMethod, send: Send) {
  return (request: unknown, given?: Given): unknown => {
    try {
      return send(outgoingCall(method, request, given));
    } catch (error) {
      return Promise.reject(error);
    }
  };
}

function many(method: DescMethod, send: Send) {
  return async function* (request: unknown, given?: Given) {
    // Interceptors may have something to wait for before they hand the call on.
    yield* (await send(outgoingCall(method, request, given))) as AsyncIterable<unknown>;
  };
}

/**
 * A transport of Connect's. It makes messages of its own with protobuf-es, whose requests are given no more values than their own; ours
 * write what they are given.
 */
function given(transport: Transport): Carrier {
  return {
    transport: {
      unary: (method, signal, timeoutMs, header, input, values) =>
        transport.unary(method, signal, timeoutMs, header, explicit(method.input, input) as never, values),
      stream: (method, signal, timeoutMs, header, input, values) =>
        transport.stream(method, signal, timeoutMs, header, eachExplicit(method.input, input) as never, values),
    },
    failure: nodeFailure,
  };
}
