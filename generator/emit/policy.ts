import type { GeneratedFile } from "@bufbuild/protoplugin";
import type { ContractFile, MessageCompression, Method } from "../contract/contract.js";
import { digits, fromRuntime } from "./print.js";

/** Emits `_policy`: deadlines, idempotency keys and other policies of methods, for clients, servers and the gateway. */
export function emitPolicy(file: ContractFile, f: GeneratedFile): void {
  for (const service of file.services) {
    f.print();
    f.print(
      f.jsDoc(
        `The call policies of ${service.desc.name}, for clients and for the server.\n\n@generated from ${service.desc}`,
      ),
    );
    f.print(f.export("const", service.exports.policy), " = {");
    for (const method of service.methods) f.print("  ", method.desc.localName, ": ", literal(method), ",");
    f.print(
      "} as const satisfies ",
      fromRuntime(f, "ServicePolicy", "policy", true),
      "<typeof ",
      f.importSchema(service.desc, true),
      ">;",
    );
  }
}

function literal(method: Method): string {
  const { timeoutMs, idempotencyKey, idempotencyIgnores, replicas, deferred, compression } = method;
  const parts = [
    ...(timeoutMs === undefined ? [] : [`timeoutMs: ${digits(timeoutMs)}`]),
    ...(idempotencyKey === undefined ? [] : [`idempotencyKey: "${idempotencyKey.localName}"`]),
    ...(idempotencyIgnores.length === 0
      ? []
      : [`idempotencyIgnores: [${idempotencyIgnores.map((field) => `"${field.localName}"`).join(", ")}]`]),
    ...(replicas ? ["replicas: true"] : []),
    ...(deferred === undefined
      ? []
      : [`deferred: { field: "${deferred.field.localName}", value: ${deferred.value.number} }`]),
    ...(compression === undefined ? [] : [`compression: ${compressionLiteral(compression)}`]),
  ];
  return parts.length === 0 ? "{}" : `{ ${parts.join(", ")} }`;
}

function compressionLiteral({ algorithm, minBytes }: MessageCompression): string {
  const parts = [
    ...(algorithm === undefined ? [] : [`algorithm: "${algorithm}"`]),
    ...(minBytes === undefined ? [] : [`minBytes: ${digits(minBytes)}`]),
  ];
  return `{ ${parts.join(", ")} }`;
}
