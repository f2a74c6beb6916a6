import { ConnectError } from "@connectrpc/connect";
import { isFinalCode } from "../call/final-codes.js";
import { createMessage } from "../codec/create.js";
import { attempt } from "./attempt.js";
import { compensationIncompatibility } from "./compatibility.js";
import { answersOf, decode, inputOf, type SagaPlan, withAnswer } from "./plan.js";
import {
  advance,
  holdIncompatible,
  holdRefused,
  type Progress,
  retryLater,
  type SagaDependencies,
} from "./progress.js";
import { stepKey } from "./saga.js";
import { type SagaChange, type SagaRow, write } from "./store.js";

/** Has a saga compensated: every step that was begun, because even a step that has failed may have had its effect before. */
export function startCompensation(
  row: SagaRow,
  dependencies: SagaDependencies,
  { reason, answer, error }: Pick<SagaChange, "answer" | "error"> & { readonly reason: string },
): Promise<Progress> {
  const change: SagaChange = { state: "compensating", reason, answer, error, dueInMs: dependencies.leaseMs };
  return advance(row, dependencies, change, { ...withAnswer(row, answer), state: "compensating", reason, attempts: 0 });
}

/** Compensates the last begun step of a saga that is not compensated yet, or cancels the saga if there is none left. */
export async function compensateStep(plan: SagaPlan, row: SagaRow, dependencies: SagaDependencies): Promise<Progress> {
  const position = row.steps.length - row.undone - 1;
  if (position < 0) return cancel(plan, row, false, dependencies);
  const name = row.steps[position] as string;
  const step = plan.spec.steps.find((candidate) => candidate.name === name);
  const incompatibility = compensationIncompatibility(step, row, position);
  if (step === undefined || incompatibility !== undefined) {
    return holdIncompatible(row, dependencies, incompatibility ?? "");
  }
  const done = decode(step.call.input, row.requests[position]);
  const init = step.compensation(done as never, stepKey(row.id, name));
  const request = createMessage(step.compensate.input, init as never);
  try {
    await attempt(step, step.compensate, request, row, dependencies);
  } catch (thrown) {
    if (dependencies.signal.aborted) throw thrown;
    const error = ConnectError.from(thrown);
    return isFinalCode(error.code)
      ? holdRefused(row, dependencies, error)
      : retryLater(row, dependencies, error, step.retry);
  }
  if (position === 0) return cancel(plan, row, true, dependencies);
  const change = { undone: true, dueInMs: dependencies.leaseMs };
  return advance(row, dependencies, change, { ...row, undone: row.undone + 1, attempts: 0 });
}

async function cancel(plan: SagaPlan, row: SagaRow, undone: boolean, { data }: SagaDependencies): Promise<Progress> {
  const state = { id: row.id, input: inputOf(plan, row), answers: answersOf(plan, row) as never };
  await data.transaction(async (tx) => {
    await write(tx.db, row, { state: "compensated", undone, dueInMs: 0 });
    await plan.definition.cancel(tx as never, state, row.reason ?? "");
  });
  return { kind: "ended", state: "compensated" };
}
