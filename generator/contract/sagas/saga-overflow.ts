import type { Registry } from "@bufbuild/protobuf";
import { FieldBehavior } from "@protoscaffold/runtime/codegen/options/google/api/field_behavior_pb.js";
import { behaves } from "../behavior.js";
import type { Column, Entity, SagaStep, Service } from "../contract.js";
import type { Findings } from "../findings/findings.js";
import { isBoundedAbove, largestOf } from "../validation/bounds.js";

/**
 * Adds a note for each number that callers can set to the highest of its type while a saga runs: a compensation that increases it
 * again then always fails, although its step succeeded.
 */
export function checkSagaOverflow(services: readonly Service[], registry: Registry, findings: Findings): void {
  const told = new Set<Column>();
  for (const { saga } of services.flatMap(({ methods }) => methods)) {
    for (const step of saga?.steps ?? []) checkStep(step, told, registry, findings);
  }
}

function checkStep(step: SagaStep, told: Set<Column>, registry: Registry, findings: Findings): void {
  for (const { desc, standard } of step.service.methods) {
    if (standard?.kind !== "update") continue;
    const { entity } = standard;
    for (const column of entity.columns) {
      const largest = largestOf(column);
      if (largest === undefined || told.has(column) || !isCount(entity, column)) continue;
      if (isBoundedAbove(entity, column, registry)) continue;
      told.add(column);
      findings.note(
        "SAGA_OVERFLOW",
        column.desc,
        `If ${step.method.desc.name} takes from ${column.desc.name} and ${desc.name} then sets it to ${largest}, ` +
          `${step.compensation.desc.name} cannot add to it again, and the saga never ends: bound it with lte, or together with what ` +
          "is taken in a rule of the message.",
      );
    }
  }
}

/** Returns whether callers can set a column to any number. */
function isCount({ key, references, etag }: Entity, column: Column): boolean {
  const { desc } = column;
  if (column === key || desc === etag || references.some((other) => other.column === column)) return false;
  return !behaves(desc, FieldBehavior.OUTPUT_ONLY) && !behaves(desc, FieldBehavior.IMMUTABLE);
}
