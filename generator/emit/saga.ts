import type { GeneratedFile, Printable } from "@bufbuild/protoplugin";
import type { ContractFile, Method, Saga, SagaStep, Service } from "../contract/contract.js";
import { camelCase } from "../contract/names/names.js";
import { digits, duration, fromGenerated, fromRuntime, member, retryLiteral, unionOf } from "./print.js";

/** A method that starts a saga. */
interface Starter extends Method {
  readonly saga: Saga;
}

/** Emits `_saga`: the type of a saga's definition, and its specification. */
export function emitSagas(file: ContractFile, f: GeneratedFile): void {
  for (const service of file.services) {
    const starters = service.methods.filter(isStarter);
    if (starters.length === 0) continue;
    for (const starter of starters) {
      f.print();
      emitDefinition(service, starter, f);
      f.print();
      emitSpec(starter, f);
    }
    f.print();
    emitSagasOf(service, starters, f);
  }
}

export function hasSagas({ services }: ContractFile): boolean {
  return services.some((service) => service.methods.some(isStarter));
}

function isStarter(method: Method): method is Starter {
  return method.saga !== undefined;
}

function emitDefinition(service: Service, { desc, saga, publishes }: Starter, f: GeneratedFile): void {
  const path = saga.steps.map(({ name }) => name).join(", then ");
  const input = f.importShape(desc.input);
  const { steps } = saga;
  f.print(
    f.jsDoc(
      `The saga that ${desc.name} starts: ${path}. It is compensated if it has not completed after ${duration(saga.timeoutMs)}, and kept for ${duration(saga.retentionH * 3_600_000)} after its end.\n\n@generated from ${desc}`,
    ),
  );
  f.print(f.export("interface", saga.exports.definition));
  f.print("  extends ", fromRuntime(f, "SagaEnds", "saga", true), "<");
  f.print("    ", fromGenerated(f, service.exports.entities, service.file, "_service", true), ",");
  f.print("    ", input, ",");
  f.print("    ", answers(steps, f), publishes.length > 0 ? "," : "");
  if (publishes.length > 0) f.print("    ", unionOf(publishes, f));
  f.print("  > {");
  f.print("  readonly steps: {");
  steps.forEach((step, position) => {
    f.print(`    /** ${explained(step)} */`);
    f.print("    readonly ", member(step.localName), ": ", fromRuntime(f, "SagaStep", "saga", true), "<");
    f.print("      typeof ", f.importSchema(step.method.desc.input, true), ",");
    f.print("      ", f.string(step.key.localName), ",");
    f.print("      typeof ", f.importSchema(step.method.desc.output, true), ",");
    f.print("      ", input, ",");
    f.print("      ", answers(steps.slice(0, position), f));
    f.print("    >;");
  });
  f.print("  };");
  f.print("}");
}

function explained({ service, method, compensation, timeoutMs, retry }: SagaStep): string {
  const bounds = [
    ...(timeoutMs === undefined ? [] : [`${duration(timeoutMs)} per attempt`]),
    ...(retry.maxAttempts === undefined ? [] : [`at most ${retry.maxAttempts} attempts`]),
  ].join(", ");
  return `Calls ${service.desc.name}.${method.desc.name}${bounds === "" ? "" : ` (${bounds})`}. ${compensation.desc.name} compensates it.`;
}

/** Returns the type of the responses of steps: `{ readonly reserve: Reservation }`. */
function answers(steps: readonly SagaStep[], f: GeneratedFile): Printable {
  if (steps.length === 0) return "object";
  const fields = steps.map(
    (step): Printable => ["readonly ", member(step.localName), ": ", f.importShape(step.method.desc.output)],
  );
  return ["{ ", ...fields.flatMap((field, at) => (at === 0 ? [field] : ["; ", field])), " }"];
}

function emitSpec({ desc, saga }: Starter, f: GeneratedFile): void {
  f.print(f.jsDoc(`The specification of the saga that ${desc.name} starts.\n\n@generated from ${desc}`));
  f.print(f.export("const", saga.exports.spec), ": ", fromRuntime(f, "SagaSpec", "saga", true), " = {");
  f.print("  method: ", methodOf(desc, f), ",");
  f.print("  timeoutMs: ", digits(saga.timeoutMs), ",");
  f.print("  retentionMs: ", digits(saga.retentionH * 3_600_000), ",");
  f.print("  steps: [");
  for (const step of saga.steps) emitStep(step, f);
  f.print("  ],");
  f.print("};");
}

function emitStep(step: SagaStep, f: GeneratedFile): void {
  const { service, method, key, compensation, timeoutMs, retry } = step;
  f.print("    {");
  f.print("      name: ", f.string(step.name), ",");
  f.print("      localName: ", f.string(step.localName), ",");
  f.print("      peer: ", f.string(camelCase(service.name)), ",");
  f.print("      call: ", methodOf(method.desc, f), ",");
  f.print("      key: ", f.string(key.localName), ",");
  f.print("      compensate: ", methodOf(compensation.desc, f), ",");
  emitCompensation(step, f);
  if (timeoutMs !== undefined) f.print("      timeoutMs: ", digits(timeoutMs), ",");
  f.print(`      retry: ${retryLiteral(retry)},`);
  f.print("    },");
}

/** Returns the function that creates the compensation's request from the step's request and key. */
function emitCompensation({ method, compensation, compensationKey, copied }: SagaStep, f: GeneratedFile): void {
  f.print(
    "      compensation: (",
    copied.length === 0 ? "_" : "request",
    ": ",
    f.importShape(method.desc.input),
    ", key: string): ",
    f.import("MessageInitShape", "@bufbuild/protobuf", true),
    "<typeof ",
    f.importSchema(compensation.desc.input, true),
    "> => ({",
  );
  f.print("        ", compensationKey.localName, ": key,");
  for (const { from, to } of copied) f.print("        ", to.localName, ": request.", from.localName, ",");
  f.print("      }),");
}

function methodOf({ parent, localName }: Method["desc"], f: GeneratedFile): Printable {
  return [f.importSchema(parent), ".method.", localName];
}

function emitSagasOf(service: Service, starters: readonly Starter[], f: GeneratedFile): void {
  f.print(
    f.jsDoc(`The sagas that methods of ${service.desc.name} start, by method.\n\n@generated from ${service.desc}`),
  );
  f.print(f.export("interface", service.exports.sagas), " {");
  for (const { desc, saga } of starters) {
    f.print("  readonly ", member(desc.localName), ": ", saga.exports.definition, ";");
  }
  f.print("}");
}
