import type { Message } from "@bufbuild/protobuf";
import { ConnectError } from "@connectrpc/connect";
import { isFinalCode } from "../call/final-codes.js";
import { codecOf } from "../codec/known.js";
import type { StepSpec } from "../spec/saga.js";
import { attempt } from "./attempt.js";
import { forwardIncompatibility, methodsOf } from "./compatibility.js";
import { startCompensation } from "./compensation.js";
import { isPermanent } from "./permanent.js";
import { answersOf, buildRequest, decode, inputOf, type SagaPlan, withAnswer } from "./plan.js";
import { advance, holdIncompatible, type Progress, retryLater, type SagaDependencies } from "./progress.js";
import { type SagaRow, write } from "./store.js";

/** Calls the current step of a running saga and begins the next one, completes the saga, or starts its compensation. */
export async function runStep(plan: SagaPlan, row: SagaRow, dependencies: SagaDependencies): Promise<Progress> {
  const { steps } = plan.spec;
  if (row.leftMs <= 0) {
    const error = row.incompatibility ?? row.error ?? undefined;
    return startCompensation(row, dependencies, { reason: "it took too long", error });
  }
  // Another version of the contract may have begun the saga, and may still run beside this one.
  const incompatibility = forwardIncompatibility(plan.spec, row);
  if (incompatibility !== undefined) return holdIncompatible(row, dependencies, incompatibility);
  const position = row.answers.length;
  const step = steps[position];
  // Every begun step has an answer, but an earlier version of the contract had other steps after them.
  if (step === undefined) return complete(plan, row, undefined, dependencies);
  if (position >= row.steps.length) return beginStep(plan, row, step, undefined, dependencies);
  const request = decode(step.call.input, row.requests[position]);
  let answer: Message;
  try {
    answer = await attempt(step, step.call, request, row, dependencies, row.leftMs);
  } catch (thrown) {
    return stepFailed(step, row, ConnectError.from(thrown), dependencies);
  }
  const bytes = codecOf(step.call.output).toBytes(answer as never);
  const refusal = plan.definition.steps[step.localName]?.refused?.(answer as never);
  if (refusal !== undefined) return startCompensation(row, dependencies, { reason: refusal, answer: bytes });
  const next = steps[position + 1];
  return next === undefined
    ? complete(plan, row, bytes, dependencies)
    : beginStep(plan, row, next, bytes, dependencies);
}

/** Writes the answer of the step before and the request of this one, so that every attempt sends the same request. */
async function beginStep(
  plan: SagaPlan,
  row: SagaRow,
  step: StepSpec,
  answer: Uint8Array | undefined,
  dependencies: SagaDependencies,
): Promise<Progress> {
  const answered = withAnswer(row, answer);
  let request: Uint8Array;
  try {
    request = buildRequest(plan, step, row.id, inputOf(plan, row), answersOf(plan, answered));
  } catch (error) {
    return startCompensation(row, dependencies, { reason: `${step.name}: ${(error as Error).message}`, answer });
  }
  const { call, compensation } = methodsOf(step);
  const next = { step: step.name, request, call, compensation };
  return advance(
    row,
    dependencies,
    { answer, next, dueInMs: dependencies.leaseMs },
    {
      ...answered,
      steps: [...row.steps, step.name],
      requests: [...row.requests, request],
      calls: [...row.calls, call],
      compensations: [...row.compensations, compensation],
      attempts: 0,
    },
  );
}

async function complete(
  plan: SagaPlan,
  row: SagaRow,
  answer: Uint8Array | undefined,
  dependencies: SagaDependencies,
): Promise<Progress> {
  const state = { id: row.id, input: inputOf(plan, row), answers: answersOf(plan, withAnswer(row, answer)) as never };
  try {
    await dependencies.data.transaction(async (tx) => {
      await write(tx.db, row, { state: "completed", answer, dueInMs: 0 });
      await plan.definition.complete(tx as never, state);
    });
  } catch (error) {
    if (!isPermanent(error)) throw error;
    return startCompensation(row, dependencies, { reason: ConnectError.from(error).rawMessage, answer });
  }
  return { kind: "ended", state: "completed" };
}

function stepFailed(
  step: StepSpec,
  row: SagaRow,
  error: ConnectError,
  dependencies: SagaDependencies,
): Promise<Progress> {
  if (dependencies.signal.aborted) throw error;
  const { maxAttempts = Number.POSITIVE_INFINITY } = step.retry;
  return isFinalCode(error.code) || row.attempts + 1 >= maxAttempts
    ? startCompensation(row, dependencies, { reason: `${step.name}: ${error.rawMessage}` })
    : retryLater(row, dependencies, error, step.retry);
}
