import type { DescMethodUnary } from "@bufbuild/protobuf";
import type { RetryPolicy } from "./retry.js";

/** What a contract says of one saga: all that the runtime needs to run it, less what its author defines. */
export interface SagaSpec {
  /** The method that starts it; its request is the saga's input. */
  readonly method: DescMethodUnary;
  /** The longest that it goes forward, in milliseconds; what is not done by then is undone. */
  readonly timeoutMs: number;
  /** How long it is kept once it has ended, in milliseconds. */
  readonly retentionMs: number;
  readonly steps: readonly StepSpec[];
}

/** What a contract says of one step. */
export interface StepSpec {
  /** Its name in the contract, "book_seat": the second half of the key that each of its attempts carries. */
  readonly name: string;
  /** Its name in code: "bookSeat". */
  readonly localName: string;
  /** The called service, by the name that handlers use. */
  readonly peer: string;
  readonly call: DescMethodUnary;
  /** The field of the call's request that holds the key. */
  readonly key: string;
  readonly compensate: DescMethodUnary;
  /** The compensating request, of the step's request and key alone: a step that timed out has answered nothing. */
  readonly compensation: (request: never, key: string) => Record<never, unknown>;
  /** The longest that one attempt may take, in milliseconds. Absent: no bound but the saga's. */
  readonly timeoutMs?: number;
  /** When an attempt without a clear answer is followed by another. Compensations are attempted until they succeed. */
  readonly retry: RetryPolicy;
}
