import { createFileRegistry, fromBinary, type JsonValue, toJson } from "@bufbuild/protobuf";
import type { FileDescriptorSet } from "@bufbuild/protobuf/wkt";
import { buildContract } from "../contract/build.js";
import type { SagaStep } from "../contract/contract.js";
import type { Naming } from "../contract/services/short-name.js";

/** The runtime's operations on sagas. Loaded only by the commands that need a database. */
export const loadAdmin = () => import("@protoscaffold/runtime/codegen/tool/sagas");

export type { SagaDetails, SagaListing, SagaQuery } from "@protoscaffold/runtime/codegen/tool/sagas";

/** A step of a saga, with the services of its caller and its callee. */
export interface ContractStep {
  /** The service that starts the saga. */
  readonly starter: string;
  /** The full name of the method that starts it. */
  readonly saga: string;
  readonly step: string;
  readonly call: string;
  /** The called service. */
  readonly service: string;
}

/** Returns all steps of all sagas of a contract. */
export function contractSteps(files: FileDescriptorSet, naming: Naming): ContractStep[] {
  return buildContract(files, naming).contract.services.flatMap((service) =>
    service.methods.flatMap(({ desc, saga }) =>
      (saga?.steps ?? []).map((step) => ({
        starter: service.name,
        saga: `${desc.parent.typeName}/${desc.name}`,
        step: step.name,
        call: pathOf(step),
        service: step.service.name,
      })),
    ),
  );
}

/** Returns a function that decodes messages of a contract's methods as JSON. An unknown message is shown by its length. */
export function reader(files: FileDescriptorSet) {
  const registry = createFileRegistry(files);
  return (path: string, side: "input" | "output", bytes: Uint8Array): JsonValue => {
    const [service = "", name] = path.split("/");
    const method = registry.getService(service)?.methods.find((candidate) => candidate.name === name);
    if (method === undefined) return `${bytes.length} bytes`;
    return toJson(method[side], fromBinary(method[side], bytes), { registry });
  };
}

function pathOf({ method: { desc } }: SagaStep): string {
  return `${desc.parent.typeName}/${desc.name}`;
}
