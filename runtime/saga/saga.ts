import type { DescMessage, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import type { Context } from "../call/context.js";
import type { DatabaseTransaction } from "../data/postgres/driver.js";
import type { Transaction } from "../data/transaction.js";

/** A saga, as far as it has come. */
export interface SagaState<Input, Answers> {
  readonly id: string;
  /** The request of the method that started it. */
  readonly input: Input;
  /** The answers of its steps so far, by step. */
  readonly answers: Answers;
}

/** A step, as its author defines it. */
export interface SagaStep<Request extends DescMessage, Key extends string, Answer extends DescMessage, Input, Answers> {
  /** Returns the step's request without its key. It must depend on the state alone: it is built once, and kept. */
  request(saga: SagaState<Input, Answers>): Omit<MessageInitShape<Request>, Key | "$typeName" | "$unknown">;
  /**
   * Returns why the saga cannot go on after this answer: "payment declined". Every step is compensated then, this one included.
   * If it returns undefined, or there is no such function, the saga goes on.
   */
  refused?(answer: MessageShape<Answer>): string | undefined;
}

/**
 * How a saga ends, in the service's own database. Exactly one of these functions is called, in the transaction that ends the saga.
 * A saga that is compensated after it was completed has had both calls.
 */
export interface SagaEnds<Entities, Input, Answers, Published extends DescMessage = never> {
  /** Every step is done. */
  complete(tx: Transaction<Entities, Published>, saga: SagaState<Input, Answers>): Promise<unknown>;
  /** Every begun step is compensated. It is called until it succeeds. `reason` says why, in words for a person. */
  cancel(
    tx: Transaction<Entities, Published>,
    saga: SagaState<Input, Partial<Answers>>,
    reason: string,
  ): Promise<unknown>;
}

/** How handlers start sagas of one kind, wait for them and compensate them. */
export interface SagaHandle<Input> {
  /**
   * Starts a saga in a transaction: it begins once that has committed, and does not exist if that is rolled back.
   *
   * @param id names the saga, and with it the keys of its steps: `<id>/<step>`
   * @param context the context of the call that starts it: the steps continue its trace
   * @throws ConnectError ALREADY_EXISTS if there is a saga of this id
   */
  start(tx: SagaTransaction, id: string, input: Input, context?: Context): Promise<void>;
  /**
   * Waits for a saga to end, and returns whether it has. A fifth of the call's time, 250 ms to 1 s, is left for the response. A saga
   * that was removed has ended.
   */
  ended(id: string, context: Context): Promise<boolean>;
  /**
   * Has a saga compensated, running or completed. `ended` waits for that. Does nothing if it is compensated already.
   *
   * @throws ConnectError NOT_FOUND if there is no saga of this id, or no longer
   */
  compensate(id: string, reason: string): Promise<void>;
}

/** The part of a transaction that a saga is started with. */
export interface SagaTransaction {
  readonly db: DatabaseTransaction;
  afterCommit(run: () => void): void;
}

/** A handle for each saga of a service. */
export type SagaHandles<Sagas> = {
  readonly [Name in keyof Sagas]: Sagas[Name] extends SagaEnds<never, infer Input, never> ? SagaHandle<Input> : never;
};

/** A saga as its author defines it, without its types. */
export interface SagaDefinition extends SagaEnds<never, unknown, never> {
  readonly steps: Readonly<Record<string, AnyStep>>;
}

interface AnyStep {
  request(saga: SagaState<unknown, never>): object;
  refused?(answer: never): string | undefined;
}

/** Returns the key that each attempt at a step carries, and each compensation of it. */
export function stepKey(id: string, step: string): string {
  return `${id}/${step}`;
}
