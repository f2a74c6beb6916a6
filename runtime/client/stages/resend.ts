import type { DescMethod } from "@bufbuild/protobuf";
import { failureOf } from "../../call/failure.js";
import type { ClientStage, OutgoingCall, Send } from "../outgoing-call.js";

/**
 * Sends a call once more that was refused: gRPC's transparent retry. A connection that is being closed refuses calls before its peer
 * has seen them, so that a service which drains costs its callers nothing. What callers stream is gone once it was read: their calls
 * are not sent again.
 */
export function resend({ methodKind }: DescMethod): ClientStage {
  switch (methodKind) {
    case "unary":
      return resendOne;
    case "server_streaming":
      return (next) => (call) => new Resent(next, call);
    case "client_streaming":
    case "bidi_streaming":
      return (next) => next;
  }
}

const resendOne: ClientStage = (next) => async (call) => {
  try {
    return await next(call);
  } catch (error) {
    return again(next, call, error);
  }
};

function again(next: Send, call: OutgoingCall, error: unknown): unknown {
  if (failureOf(error) !== "refused") throw error;
  call.proceed();
  return next(call);
}

/** The responses to a call, which may be refused as long as none has come. */
class Resent implements AsyncIterableIterator<unknown> {
  #responses: AsyncIterator<unknown>;
  #hasBegun = false;

  constructor(
    private readonly send: Send,
    private readonly call: OutgoingCall,
  ) {
    this.#responses = iterate(send(call));
  }

  next(): Promise<IteratorResult<unknown>> {
    if (this.#hasBegun) return this.#responses.next();
    this.#hasBegun = true;
    return this.#responses.next().catch((error) => {
      this.#responses = iterate(again(this.send, this.call, error));
      return this.#responses.next();
    });
  }

  async return(): Promise<IteratorResult<unknown>> {
    return (await this.#responses.return?.()) ?? { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}

function iterate(responses: unknown): AsyncIterator<unknown> {
  return (responses as AsyncIterable<unknown>)[Symbol.asyncIterator]();
}
