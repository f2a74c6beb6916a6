import { type Registry, ScalarType } from "@bufbuild/protobuf";
import { FieldBehavior } from "@protoscaffold/runtime/options/google/api/field_behavior_pb.js";
import { behaves } from "./behavior.js";
import type { Column, Entity, SagaStep, Service } from "./contract.js";
import type { Findings } from "./findings.js";
import { fieldRules, messageExpressions } from "./validate-options.js";

/** The largest numbers of those types that arithmetic can leave. */
const LARGEST: Readonly<Partial<Record<ScalarType, bigint>>> = {
  [ScalarType.INT32]: 2n ** 31n - 1n,
  [ScalarType.SINT32]: 2n ** 31n - 1n,
  [ScalarType.SFIXED32]: 2n ** 31n - 1n,
  [ScalarType.UINT32]: 2n ** 32n - 1n,
  [ScalarType.FIXED32]: 2n ** 32n - 1n,
  [ScalarType.INT64]: 2n ** 63n - 1n,
  [ScalarType.SINT64]: 2n ** 63n - 1n,
  [ScalarType.SFIXED64]: 2n ** 63n - 1n,
  [ScalarType.UINT64]: 2n ** 64n - 1n,
  [ScalarType.FIXED64]: 2n ** 64n - 1n,
};

/**
 * Notes numbers that a caller may set as high as their type goes while a saga is on its way: a compensation that adds to one again
 * then fails for ever, though its step did not.
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
      const largest = column.scalar && LARGEST[column.scalar];
      if (largest === undefined || told.has(column) || !isCount(entity, column)) continue;
      if (isBounded(entity, column, largest, registry)) continue;
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

/** Whether a caller may set a column to any number. */
function isCount({ key, references, etag }: Entity, column: Column): boolean {
  const { desc } = column;
  if (column === key || desc === etag || references.some((other) => other.column === column)) return false;
  return !behaves(desc, FieldBehavior.OUTPUT_ONLY) && !behaves(desc, FieldBehavior.IMMUTABLE);
}

/** Whether a rule keeps a column below the largest number of its type. A rule of the message counts if it speaks of the column. */
function isBounded({ desc }: Entity, column: Column, largest: bigint, registry: Registry): boolean {
  const typed = fieldRules(column.desc, registry)?.typed ?? {};
  if ("const" in typed || "in" in typed) return true;
  const [low, high] = [typed.gt ?? typed.gte, typed.lt ?? typed.lte] as (number | bigint | undefined)[];
  // With the higher one below, the two forbid what is between them.
  if (high !== undefined && high < largest && (low === undefined || low <= high)) return true;
  const name = new RegExp(`\\bthis\\.${column.desc.name}\\b`);
  return messageExpressions(desc, registry).some((expression) => name.test(expression));
}
