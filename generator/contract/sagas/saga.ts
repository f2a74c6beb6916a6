import { type DescField, type DescMethod, getOption, type Registry } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import { FieldBehavior } from "@protoscaffold/runtime/codegen/options/google/api/field_behavior_pb.js";
import {
  method as methodOption,
  type SagaStep as StepOption,
} from "@protoscaffold/runtime/codegen/options/scaffold/v1/options_pb.js";
import { behaves } from "../behavior.js";
import type { Method, RetryPolicy, Saga, SagaStep, Service } from "../contract.js";
import type { Findings } from "../findings/findings.js";
import { sagaExports } from "../names/exports.js";
import { camelCase, resolve } from "../names/names.js";
import { optionPath } from "../option-path.js";
import { readRetryPolicy } from "../retry.js";

const DEFAULT_TIMEOUT_S = 60;
const DEFAULT_RETENTION_H = 720;
/** Some 68 years, as for events. */
const LONGEST_RETENTION_H = 600_000;
const DEFAULT_RETRY: RetryPolicy = {
  maxAttempts: undefined,
  initialBackoffMs: 100,
  maxBackoffMs: 10_000,
  backoffMultiplier: 2,
};
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** A fault of one step, and the field of the step that causes it. */
type Fault = (
  rule: "SAGA_STEP" | "SAGA_COMPENSATION" | "METHOD_TIMEOUT",
  field: "name" | "call" | "compensate" | "timeout_ms" | "retry",
  message: string,
) => undefined;

/** Reads the sagas of a service. All services and their calls must be known. */
export function linkSagas(service: Service, registry: Registry, findings: Findings): void {
  for (const method of service.methods) {
    (method as { saga: Saga | undefined }).saga = buildSaga(service, method, registry, findings);
  }
}

function buildSaga(service: Service, method: Method, registry: Registry, findings: Findings): Saga | undefined {
  const { desc, idempotencyKey } = method;
  const { saga } = getOption(desc, methodOption);
  if (saga === undefined) return undefined;
  const fault = (message: string) => findings.error("SAGA_METHOD", desc, message, optionPath(methodOption, "saga"));
  if (desc.methodKind !== "unary") return fault(`${desc.name} streams, so it has no one request to start a saga with.`);
  if (desc.idempotency === MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS) {
    return fault(`${desc.name} has no side effects, and a saga is one: remove saga, or NO_SIDE_EFFECTS.`);
  }
  if (idempotencyKey === undefined) {
    return fault(`${desc.name} has no idempotency_key, so a repeat would start another saga: name one.`);
  }
  if (service.entities.length === 0) {
    return fault(`${desc.parent.name} owns no entities, so it has no database to keep a saga in: let it own one.`);
  }
  if (saga.steps.length === 0) return fault(`The saga of ${desc.name} has no steps: name them, or remove saga.`);
  if (saga.retentionH > LONGEST_RETENTION_H) {
    const message = `retention_h is ${saga.retentionH}: ${LONGEST_RETENTION_H} at most.`;
    findings.error("SAGA_METHOD", desc, message, optionPath(methodOption, "saga", "retention_h"));
  }
  const names = new Set<string>();
  const steps = saga.steps.map((option, position) => {
    const at = (field: string) => optionPath(methodOption, "saga", "steps", position, field);
    const step = buildStep(service, desc, option, registry, (rule, field, message) =>
      findings.error(rule, desc, message, at(field)),
    );
    if (names.has(option.name)) {
      findings.error("SAGA_STEP", desc, `Two steps are called "${option.name}": rename one.`, at("name"));
    }
    names.add(option.name);
    return step;
  });
  return {
    exports: sagaExports(desc),
    timeoutMs: (saga.timeoutS || DEFAULT_TIMEOUT_S) * 1000,
    retentionH: saga.retentionH || DEFAULT_RETENTION_H,
    steps: steps.filter((step) => step !== undefined),
  };
}

function buildStep(
  service: Service,
  starter: DescMethod,
  option: StepOption,
  registry: Registry,
  fault: Fault,
): SagaStep | undefined {
  const { name } = option;
  if (!/^[a-z][a-z0-9]*(_[a-z0-9]+)*$/.test(name)) {
    return fault(
      "SAGA_STEP",
      "name",
      `"${name}" names no step: use lower case, digits and underscores, as in "reserve".`,
    );
  }
  if (option.timeoutMs > LONGEST_TIMER_MS) {
    fault(
      "METHOD_TIMEOUT",
      "timeout_ms",
      `${option.timeoutMs} ms is longer than a timer runs (24 days): leave it out.`,
    );
  }
  const found = findMethod(service, starter, option.call, registry);
  if (typeof found === "string") return fault("SAGA_STEP", "call", found);
  const { callee, method } = found;
  const path = `${callee.desc.name}.${method.desc.name}`;
  if (method.desc.methodKind !== "unary") return fault("SAGA_STEP", "call", `${path} streams, so it is not a step.`);
  const key = method.idempotencyKey;
  if (key === undefined) {
    return fault(
      "SAGA_STEP",
      "call",
      `${path} has no idempotency_key, so a second attempt would do it twice: give it one.`,
    );
  }
  const compensation = buildCompensation(starter, callee, method, key, option.compensate, registry, fault);
  if (compensation === undefined) return undefined;
  return {
    name,
    localName: camelCase(name),
    service: callee,
    method,
    key,
    ...compensation,
    timeoutMs: option.timeoutMs || method.timeoutMs,
    retry: readRetryPolicy(option.retry, DEFAULT_RETRY, (message) => fault("SAGA_STEP", "retry", message)),
  };
}

function buildCompensation(
  starter: DescMethod,
  callee: Service,
  step: Method,
  stepKey: DescField,
  name: string,
  registry: Registry,
  fault: Fault,
): Pick<SagaStep, "compensation" | "compensationKey" | "copied"> | undefined {
  const wrong = (message: string) => fault("SAGA_COMPENSATION", "compensate", message);
  if (name === "") {
    return wrong(`Nothing undoes ${step.desc.name}: name a method of ${callee.desc.name} in compensate.`);
  }
  const found = findMethod({ calls: [callee] }, starter, name, registry);
  if (typeof found === "string")
    return wrong(`${found} Only the service of the step itself knows whether it was done.`);
  const { desc, idempotencyKey: key } = found.method;
  if (found.method === step) return wrong(`${desc.name} cannot undo itself: name the method that does.`);
  if (desc.methodKind !== "unary") return wrong(`${desc.name} streams, so it compensates nothing.`);
  if (key === undefined) {
    return wrong(
      `${desc.name} has no idempotency_key, so it does not know which ${step.desc.name} to undo: give it one.`,
    );
  }
  const copied: SagaStep["copied"][number][] = [];
  for (const to of desc.input.fields.filter((field) => field !== key)) {
    const from = step.desc.input.fields.find((field) => field.name === to.name && field !== stepKey);
    if (from !== undefined && typeOf(from) === typeOf(to) && to.oneof === undefined) {
      copied.push({ from, to });
    } else if (from !== undefined) {
      wrong(
        `${desc.name} needs ${to.name}, which is ${typeOf(to)} there and ${typeOf(from)} in ${step.desc.input.name}: make them one.`,
      );
    } else if (!mayBeAbsent(to)) {
      wrong(
        `${desc.name} needs ${to.name}, which a step that timed out has not answered: have it find what it undoes by ` +
          `${key.name}, add ${to.name} to ${step.desc.input.name}, or mark it optional.`,
      );
    }
  }
  return { compensation: found.method, compensationKey: key, copied };
}

/** Resolves a name among the methods of called services. Returns the reason if there is no such method. */
function findMethod(
  { calls }: Pick<Service, "calls">,
  starter: DescMethod,
  name: string,
  registry: Registry,
): { callee: Service; method: Method } | string {
  const dot = name.lastIndexOf(".");
  const desc =
    dot > 0 ? resolve(registry, "service", name.slice(0, dot), starter.parent.file.proto.package) : undefined;
  const callee = calls.find((candidate) => candidate.desc === desc);
  const word = name.slice(dot + 1);
  const method = callee?.methods.find((candidate) => candidate.desc.name === word);
  if (callee !== undefined && method !== undefined) return { callee, method };
  if (callee !== undefined) {
    return `${callee.desc.name} has no method ${word}; it has ${callee.methods.map((known) => known.desc.name).join(", ")}.`;
  }
  const known = calls.map((service) => service.desc.typeName).join(", ") || "none";
  return `"${name}" is not a method of a service that may be called here (${known}): write <package>.<service>.<method>.`;
}

/** Returns whether a field may be left out: it has presence and is not required. */
function mayBeAbsent(field: DescField): boolean {
  const hasPresence = field.fieldKind !== "list" && field.fieldKind !== "map" && field.presence !== IMPLICIT;
  return hasPresence && field.presence !== LEGACY_REQUIRED && !behaves(field, FieldBehavior.REQUIRED);
}

const IMPLICIT = 2;
const LEGACY_REQUIRED = 3;

/** Returns a field's type in words: "repeated shop.inventory.v1.StockLine". */
function typeOf(field: DescField): string {
  const one =
    field.message?.typeName ?? field.enum?.typeName ?? (field.scalar === undefined ? "" : scalarNames[field.scalar]);
  if (field.oneof !== undefined) return `${one} in a oneof`;
  if (field.fieldKind === "scalar" || field.fieldKind === "enum") {
    return field.presence === IMPLICIT ? `${one}` : `optional ${one}`;
  }
  if (field.fieldKind === "list") return `repeated ${one}`;
  if (field.fieldKind === "map") return `map<${scalarNames[field.mapKey]}, ${one}>`;
  return one ?? "";
}

/** By descriptor.proto's numbers. */
const scalarNames =
  ". double float int64 uint64 int32 fixed64 fixed32 bool string . . bytes uint32 . sfixed32 sfixed64 sint32 sint64".split(
    " ",
  );
