import type { AnyDesc, DescField } from "@bufbuild/protobuf";
import { method as methodOption } from "@protoscaffold/runtime/codegen/options/scaffold/v1/options_pb.js";
import type { Contract, Method, Saga, SagaStep } from "../contract/contract.js";
import type { Diagnostic } from "../contract/findings/diagnostic.js";
import { Findings } from "../contract/findings/findings.js";
import { placeOf } from "../contract/findings/place.js";
import { optionPath } from "../contract/option-path.js";
import type { SagaRule } from "./saga-rules.js";

/** A method, with its saga if it starts one. */
type Starter = Pick<Method, "desc" | "saga">;

/**
 * Compares sagas: returns what the change breaks for sagas that run. A running saga has stored the names, calls and requests
 * of the steps that it has begun, and continues with the steps after them. New steps therefore come last.
 */
export function compareSagas(before: Contract, after: Contract): Diagnostic[] {
  const now = new Map(methodsOf(after).map((method) => [nameOf(method), method]));
  const findings = new Findings();
  const lost: Diagnostic[] = [];
  for (const { desc, saga } of methodsOf(before)) {
    if (saga === undefined) continue;
    const method = now.get(nameOf({ desc }));
    if (method?.saga !== undefined) {
      compareSteps(desc, method.desc, saga.steps, method.saga.steps, findings);
      continue;
    }
    const rule = "SAGA_NO_DELETE";
    const message =
      `${desc.name} no longer starts its saga (${listed(saga.steps)}): running sagas would never end. ` +
      "Keep it until none is running, and let another method start the new one.";
    const remainder = method?.desc ?? remainderOf(desc, after);
    const old = placeOf(desc, optionPath(methodOption, "saga"));
    if (remainder !== undefined) findings.error(rule, remainder, message, undefined, old);
    else lost.push({ file: "buf.yaml", line: 1, column: 1, rule, message, severity: "error", old });
  }
  return [...lost, ...findings.all()];
}

function compareSteps(
  oldDesc: Method["desc"],
  desc: Method["desc"],
  before: readonly SagaStep[],
  after: readonly SagaStep[],
  findings: Findings,
): void {
  const moved = before.findIndex(({ name }, position) => after[position]?.name !== name);
  if (moved >= 0) {
    const at =
      moved < after.length ? optionPath(methodOption, "saga", "steps", moved) : optionPath(methodOption, "saga");
    const message =
      `The steps of ${desc.name}'s saga changed from ${listed(before)} to ${listed(after)}: a running saga would continue with ` +
      "another step. Keep the old steps and their order, and add new ones at the end.";
    const deleted = before.findIndex(({ name }) => !after.some((step) => step.name === name));
    const old = deleted < 0 ? undefined : placeOf(oldDesc, optionPath(methodOption, "saga", "steps", deleted));
    findings.error("SAGA_SAME_STEPS", desc, message, at, old);
  }
  for (const step of before) {
    const position = after.findIndex(({ name }) => name === step.name);
    const other = after[position];
    if (other === undefined) continue;
    const error = (rule: SagaRule, message: string) =>
      findings.error(rule, desc, message, optionPath(methodOption, "saga", "steps", position));
    const [called, calls] = [asked(step.method, step.key), asked(other.method, other.key)];
    if (called !== calls) {
      error(
        "SAGA_SAME_CALL",
        `Step ${step.name} of ${desc.name} called ${called}, and now calls ${calls}: requests of running sagas are for the old ` +
          "one. Keep it, and let another method start a saga with the new one.",
      );
    }
    const undone = asked(step.compensation, step.compensationKey);
    const undoes = asked(other.compensation, other.compensationKey);
    if (undone !== undoes) {
      error(
        "SAGA_SAME_COMPENSATION",
        `Step ${step.name} of ${desc.name} was compensated by ${undone}, and now is by ${undoes}: the old one may be in ` +
          "progress for a running saga. Keep it, and change what it does.",
      );
    }
  }
}

/** Returns what the new contract still has around a deleted method: its service, or else its file. */
function remainderOf(desc: Method["desc"], { files }: Contract): AnyDesc | undefined {
  const service = files.flatMap(({ services }) => services).find((one) => one.desc.typeName === desc.parent.typeName);
  return service?.desc ?? files.find(({ desc: file }) => file.name === desc.parent.file.name)?.desc;
}

function methodsOf({ files }: Contract): Starter[] {
  return files.flatMap(({ services }) => services).flatMap(({ methods }) => methods);
}

function nameOf({ desc }: Pick<Starter, "desc">): string {
  return `${desc.parent.typeName}.${desc.name}`;
}

/** Names a method, and the field of its request that holds the key. */
function asked({ desc }: Pick<Method, "desc">, key: DescField): string {
  return `${nameOf({ desc })} (${key.name})`;
}

function listed(steps: Saga["steps"]): string {
  return steps.map(({ name }) => name).join(", ");
}
