import type { DescMessage, Message } from "@bufbuild/protobuf";
import { codecOf } from "../codec/known.js";
import type { SagaSpec, StepSpec } from "../spec/saga.js";
import { type SagaDefinition, stepKey } from "./saga.js";
import type { SagaRow } from "./store.js";

/** The sagas of one method: what the contract says of them, and what their author defines. */
export interface SagaPlan {
  /** The full name of the method that starts them. */
  readonly name: string;
  readonly spec: SagaSpec;
  readonly definition: SagaDefinition;
}

/** Returns a step's request as bytes, with the step's key. */
export function buildRequest(plan: SagaPlan, step: StepSpec, id: string, input: Message, answers: object): Uint8Array {
  const defined = plan.definition.steps[step.localName];
  const init = defined?.request({ id, input, answers: answers as never });
  return codecOf(step.call.input).toBytes({ ...init, [step.key]: stepKey(id, step.name) });
}

/** Returns the request that started a saga. */
export function inputOf({ spec }: SagaPlan, row: SagaRow): Message {
  return decode(spec.method.input, row.input);
}

/** Returns the answers of a saga's steps, by their names in code. */
export function answersOf({ spec }: SagaPlan, row: SagaRow): object {
  const named = row.answers.flatMap((bytes, position) => {
    const step = spec.steps.find(({ name }) => name === row.steps[position]);
    return step === undefined ? [] : [[step.localName, decode(step.call.output, bytes)]];
  });
  return Object.fromEntries(named);
}

/** Returns a row with one more answer, if there is one. */
export function withAnswer(row: SagaRow, answer: Uint8Array | undefined): SagaRow {
  return answer === undefined ? row : { ...row, answers: [...row.answers, answer] };
}

/** Returns a message that a row keeps as bytes. */
export function decode(schema: DescMessage, bytes: Uint8Array | undefined): Message {
  return codecOf(schema).decode(bytes ?? new Uint8Array());
}
