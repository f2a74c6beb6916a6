import type { DescMethod, Message } from "@bufbuild/protobuf";
import { own } from "../codec/message.js";
import type { MethodPolicy } from "../spec/policy.js";
import type { Caller } from "./caller.js";
import type { KeyedContext } from "./context.js";
import { fingerprint, wholeFingerprint } from "./fingerprint.js";
import type { IncomingCall } from "./incoming-call.js";
import { type Propagation, propagationKey } from "./propagation.js";
import { parseTraceparent, type TraceContext } from "./trace-context.js";

/** The context that a handler is given: a view of its call, whose parts are made when the handler asks for them. */
export class CallContext implements KeyedContext<never> {
  readonly #call: IncomingCall;
  readonly #policy: MethodPolicy;
  /** As it came: stages may wrap what the handler reads. */
  readonly #request: unknown;

  readonly [propagationKey]: Propagation;

  constructor(call: IncomingCall, policy: MethodPolicy, propagation: Propagation) {
    this.#call = call;
    this.#policy = policy;
    this[propagationKey] = propagation;
    this.#request = call.request;
  }

  get method(): DescMethod {
    return this.#call.method;
  }

  get signal(): AbortSignal {
    return this.#call.signal;
  }

  get deadline(): number | undefined {
    return this.#call.deadline;
  }

  get caller(): Caller | undefined {
    return this.#call.caller;
  }

  get trace(): TraceContext | undefined {
    return parseTraceparent(this.#call.header("traceparent"));
  }

  get idempotencyKey(): string | undefined {
    const { idempotencyKey } = this.#policy;
    if (idempotencyKey === undefined || typeof this.#request !== "object" || this.#request === null) return undefined;
    return own(this.#request as Record<string, unknown>, idempotencyKey)?.toString() || undefined;
  }

  get requestHeader(): Headers {
    return this.#call.requestHeader;
  }

  get responseHeader(): Headers {
    return this.#call.responseHeader;
  }

  get responseTrailer(): Headers {
    return this.#call.responseTrailer;
  }

  get fingerprint(): Uint8Array {
    return fingerprint(this.method.input, this.#request as Message, this.#policy);
  }

  get wholeFingerprint(): Uint8Array | undefined {
    return wholeFingerprint(this.method.input, this.#request as Message, this.#policy);
  }

  timeoutMs(): number | undefined {
    const left = this.#call.timeoutMs();
    return left === undefined ? undefined : Math.max(0, Math.floor(left));
  }
}
