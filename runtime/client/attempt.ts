import type { DescMethod, DescMethodUnary } from "@bufbuild/protobuf";
import { type CallOptions, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import { createAsyncIterable } from "@connectrpc/connect/protocol";
import { onAbort } from "../call/on-abort.js";
import { explained } from "./failures.js";
import type { OutgoingCall, Send } from "./outgoing-call.js";

/** What carries the calls of a client. */
export interface Carrier {
  readonly transport: Transport;
  /** Says how an attempt failed. */
  readonly failure: (thrown: unknown, signal: AbortSignal | undefined) => ConnectError;
}

/** Of a transport whose errors say by themselves how an attempt failed. */
export const saysItself: Carrier["failure"] = (thrown) => ConnectError.from(thrown);

/** Makes one attempt of a call: the end of every chain. It fails with a ConnectError that says how. */
export function attempt(method: DescMethod, { transport, failure }: Carrier): Send {
  const failed = (thrown: unknown, call: OutgoingCall) => explained(failure(thrown, call.signal), call);
  if (isUnary(method)) {
    return async (call) => {
      try {
        const { signal, leftMs, headers, request, contextValues } = call;
        const response = await transport.unary(method, signal, leftMs, headers, request as never, contextValues);
        // Both are made for those who look at them.
        call.onHeader?.(response.header);
        call.onTrailer?.(response.trailer);
        return response.message;
      } catch (thrown) {
        throw failed(thrown, call);
      }
    };
  }
  if (method.methodKind === "client_streaming") {
    const client = createClient(method.parent, transport) as Record<string, unknown>;
    const send = client[method.localName] as (requests: unknown, options: CallOptions) => Promise<unknown>;
    return async (call) => {
      const { signal, leftMs: timeoutMs, headers, onHeader, onTrailer, contextValues } = call;
      try {
        return await send(call.request, { signal, timeoutMs, headers, onHeader, onTrailer, contextValues });
      } catch (thrown) {
        throw failed(thrown, call);
      }
    };
  }
  const requestsOf = (request: unknown) =>
    method.methodKind === "server_streaming" ? createAsyncIterable([request]) : (request as AsyncIterable<unknown>);
  return async function* (call) {
    const { signal, leftMs, headers, request, contextValues } = call;
    const left = new AbortController();
    const follow = () => left.abort(signal?.reason);
    if (signal?.aborted) follow();
    const unfollow = signal && onAbort(signal, follow);
    try {
      const requests = requestsOf(request) as AsyncIterable<never>;
      const response = await transport.stream(method as never, left.signal, leftMs, headers, requests, contextValues);
      call.onHeader?.(response.header);
      yield* onlyRead(response.message);
      call.onTrailer?.(response.trailer);
    } catch (thrown) {
      throw failed(thrown, call);
    } finally {
      unfollow?.();
      left.abort();
    }
  };
}

/** Returns messages that are left by the call's signal alone, whatever its transport does about readers that leave. */
function onlyRead(messages: AsyncIterable<unknown>): AsyncIterable<unknown> {
  const iterator = messages[Symbol.asyncIterator]();
  return { [Symbol.asyncIterator]: () => ({ next: () => iterator.next() }) };
}

function isUnary(method: DescMethod): method is DescMethodUnary {
  return method.methodKind === "unary";
}
