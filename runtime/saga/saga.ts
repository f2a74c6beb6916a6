import type { DescMessage, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import type { Context } from "../call/context.js";
import type { DatabaseTransaction } from "../data/postgres/driver.js";
import type { Transaction } from "../data/transaction.js";

/** A saga on its way. */
export interface SagaState<Input, Answers> {
  readonly id: string;
  /** The request of the method that started it. */
  readonly input: Input;
  /** What its steps have answered so far, by step. */
  readonly answers: Answers;
}

/** A step, as its author defines it. */
export interface SagaStep<Request extends DescMessage, Key extends string, Answer extends DescMessage, Input, Answers> {
  /** Builds the step's request, less its key, of what is given and nothing else: it is built once, and kept. */
  request(saga: SagaState<Input, Answers>): Omit<MessageInitShape<Request>, Key | "$typeName" | "$unknown">;
  /**
   * Why the saga cannot go on after this answer: "payment declined". All is undone then, this step as well. Undefined, or
   * no such function: it goes on.
   */
  refused?(answer: MessageShape<Answer>): string | undefined;
}

/**
 * How a saga ends, in the service's own database: exactly one of these happens, once, in the transaction that ends the
 * saga. A saga that is undone after it was completed has had both.
 */
export interface SagaEnds<Entities, Input, Answers, Published extends DescMessage = never> {
  /** Every step is done. */
  complete(tx: Transaction<Entities, Published>, saga: SagaState<Input, Answers>): Promise<unknown>;
  /** Every step that was begun is undone. It is called until it succeeds. `reason` says why, fit for a person. */
  cancel(
    tx: Transaction<Entities, Published>,
    saga: SagaState<Input, Partial<Answers>>,
    reason: string,
  ): Promise<unknown>;
}

/** What handlers do with a saga. */
export interface SagaHandle<Input> {
  /**
   * Starts a saga in a transaction: it is on its way as soon as that has committed, and never was if that has not.
   *
   * @param id names it, and with it the keys of its steps: `<id>/<step>`. One id is one saga; ALREADY_EXISTS otherwise.
   * @param context of the call that starts it, so that its trace goes on in the steps
   */
  start(tx: SagaTransaction, id: string, input: Input, context?: Context): Promise<void>;
  /**
   * Waits until a saga has ended, and returns whether it has. A fifth of the call's time, 250 ms to 1 s, is left to the answer. A saga
   * that is there no more has ended.
   */
  ended(id: string, context: Context): Promise<boolean>;
  /**
   * Has a saga undone, on its way or completed; `ended` waits for that. Nothing is done if it is undone already.
   *
   * @throws ConnectError NOT_FOUND if there is none with this id, or none any more
   */
  compensate(id: string, reason: string): Promise<void>;
}

/** What of a transaction a saga needs to be started in it. */
export interface SagaTransaction {
  readonly db: DatabaseTransaction;
  afterCommit(run: () => void): void;
}

/** A handle for each saga of a service. */
export type SagaHandles<Sagas> = {
  readonly [Name in keyof Sagas]: Sagas[Name] extends SagaEnds<never, infer Input, never> ? SagaHandle<Input> : never;
};

/** A saga as its author defines it, its types forgotten. */
export interface SagaDefinition extends SagaEnds<never, unknown, never> {
  readonly steps: Readonly<Record<string, AnyStep>>;
}

interface AnyStep {
  request(saga: SagaState<unknown, never>): object;
  refused?(answer: never): string | undefined;
}

/** The key that each attempt of a step carries, and whoever undoes it. */
export function stepKey(id: string, step: string): string {
  return `${id}/${step}`;
}
