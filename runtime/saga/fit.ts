import type { DescMethodUnary } from "@bufbuild/protobuf";
import type { SagaSpec, StepSpec } from "../spec/saga.js";
import type { SagaRow } from "./store.js";

/** What is kept of a step when it begins, so that another version of the contract can tell whether it still means the same. */
export function methodsOf({ call, compensate }: StepSpec): { readonly call: string; readonly compensation: string } {
  return { call: pathOf(call), compensation: pathOf(compensate) };
}

/**
 * Why a saga that another version of its contract has begun cannot go on forward by this one. Undefined: it can, for its first
 * steps are those that it has begun; those that come after them it does as this version says.
 */
export function misfitForward({ steps }: SagaSpec, row: SagaRow): string | undefined {
  for (const [position, name] of row.steps.entries()) {
    const step = steps[position];
    if (step === undefined) return `it has begun ${name}, and the contract has no such step there`;
    if (step.name !== name) return `it has begun ${name}, and the contract has ${step.name} in its place`;
    const changed = changedMethod(step, row, position);
    if (changed !== undefined) return changed;
  }
  return undefined;
}

/** Why a step that was begun cannot be undone by this version of the contract, which has this step of its name or none. */
export function misfitBack(step: StepSpec | undefined, row: SagaRow, position: number): string | undefined {
  if (step === undefined)
    return `it has begun ${row.steps[position]}, and the contract says no more how that is undone`;
  return changedMethod(step, row, position);
}

function changedMethod(step: StepSpec, row: SagaRow, position: number): string | undefined {
  const now = methodsOf(step);
  // What was begun before they were kept is known by its name alone.
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
