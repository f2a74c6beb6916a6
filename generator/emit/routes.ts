import type { GeneratedFile } from "@bufbuild/protoplugin";
import type { ContractFile, Http, Method, Service } from "../contract/contract.js";
import { fromRuntime } from "./print.js";

/** Emits `_routes`: the HTTP routes of a service, from its google.api.http options. */
export function emitRoutes(file: ContractFile, f: GeneratedFile): void {
  for (const service of file.services.filter(hasRoutes)) {
    const silent = service.methods.filter((method) => method.routes.length === 0).map((method) => method.desc.name);
    const rest = silent.length === 0 ? "" : `\nWithout the option, and therefore over RPC only: ${silent.join(", ")}.`;
    f.print();
    f.print(
      f.jsDoc(
        `The HTTP routes of ${service.desc.name}, from its google.api.http options.${rest}\n\n@generated from ${service.desc}`,
      ),
    );
    f.print(f.export("const", service.exports.routes), " = [");
    const schema = f.importSchema(service.desc);
    for (const method of service.methods) {
      for (const route of method.routes)
        f.print("  { ", literal(route), ", method: ", schema, ".method.", local(method), " },");
    }
    f.print("] as const satisfies readonly ", fromRuntime(f, "Route", "routes", true), "[];");
  }
}

export function hasRoutes(service: Service): boolean {
  return service.methods.some((method) => method.routes.length > 0);
}

function local(method: Method): string {
  return method.desc.localName;
}

function literal({ verb, path, body, responseBody }: Http): string {
  return [
    `verb: "${verb}"`,
    `path: ${JSON.stringify(path)}`,
    ...(body === undefined ? [] : [`body: "${body}"`]),
    ...(responseBody === undefined ? [] : [`responseBody: "${responseBody}"`]),
  ].join(", ");
}
