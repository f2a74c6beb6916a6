import type { DescMethodUnary } from "@bufbuild/protobuf";
import type { SagaSpec, StepSpec } from "../spec/saga.js";
import type { SagaRow } from "./store.js";

/** Returns the methods that a row keeps of a begun step, so that another version of the contract can tell whether it has changed. */
export function methodsOf({ call, compensate }: StepSpec): { readonly call: string; readonly compensation: string } {
  return { call: pathOf(call), compensation: pathOf(compensate) };
}

/**
 * Returns why this version of the contract cannot run the next step of a saga that another version has begun. Returns undefined if
 * it can: its first steps are those that were begun. The later steps are this version's.
 */
export function forwardIncompatibility({ steps }: SagaSpec, row: SagaRow): string | undefined {
  for (const [position, name] of row.steps.entries()) {
    const step = steps[position];
    if (step === undefined) return `it has begun ${name}, and the contract has no such step there`;
    if (step.name !== name) return `it has begun ${name}, and the contract has ${step.name} in its place`;
    const changed = changedMethod(step, row, position);
    if (changed !== undefined) return changed;
  }
  return undefined;
}

/** Returns why this version of the contract, which has this step or none of its name, cannot compensate a begun step. */
export function compensationIncompatibility(
  step: StepSpec | undefined,
  row: SagaRow,
  position: number,
): string | undefined {
  return step === undefined
    ? `it has begun ${row.steps[position]}, and the contract says no more how that is undone`
    : changedMethod(step, row, position);
}

function changedMethod(step: StepSpec, row: SagaRow, position: number): string | undefined {
  const now = methodsOf(step);
  // Rows of old versions of the runtime have no methods: their steps are compared by name alone.
  const called = row.calls[position] ?? now.call;
  if (called !== now.call) return `its step ${step.name} called ${called}, and calls ${now.call} by the contract`;
  const undoes = row.compensations[position] ?? now.compensation;
  return undoes === now.compensation
    ? undefined
    : `its step ${step.name} is undone by ${undoes}, and by ${now.compensation} by the contract`;
}

function pathOf({ parent, name }: DescMethodUnary): string {
  return `${parent.typeName}/${name}`;
}
