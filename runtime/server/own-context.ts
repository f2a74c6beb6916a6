import type { DescMethod, Message } from "@bufbuild/protobuf";
import type { KeyedContext } from "../call/context.js";
import { fingerprint, wholeFingerprint } from "../call/fingerprint.js";
import type { OwnCall } from "../call/own-call.js";
import type { MethodPolicy } from "../spec/policy.js";
import { idempotencyKeyOf } from "./deadline.js";

/** The context of a call that our own transport answers: every part of it is made when the handler asks for it. */
export class OwnContext implements KeyedContext<never> {
  readonly #call: OwnCall;
  readonly #policy: MethodPolicy;
  readonly #request: unknown;

  constructor(
    call: OwnCall,
    readonly method: DescMethod,
    policy: MethodPolicy,
    request: unknown,
  ) {
    this.#call = call;
    this.#policy = policy;
    this.#request = request;
  }

  get signal(): AbortSignal {
    return this.#call.signal;
  }

  get deadline(): number | undefined {
    return this.#call.deadline;
  }

  get idempotencyKey(): string | undefined {
    return idempotencyKeyOf(this.#request, this.#policy);
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
