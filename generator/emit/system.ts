import type { GeneratedFile, Printable } from "@bufbuild/protoplugin";
import type { Contract, Event, Service } from "../contract/contract.js";
import { publishedBy } from "../contract/events/event.js";
import type { EmittedFile, PrintTypeScript } from "./emitter.js";
import { fromGenerated, fromRuntime, strings } from "./print.js";
import { hasRoutes } from "./routes.js";

/** Emits `system.ts`: the services that the system runs, and their relations. */
export function emitSystem(contract: Contract, print: PrintTypeScript): EmittedFile[] {
  return [print("system.ts", (f) => printServices(contract, f))];
}

function printServices(contract: Contract, f: GeneratedFile): void {
  f.print(f.jsDoc("The services of the system, with their routes, calls, tables and events."));
  f.print(f.export("const", "system"), ": ", fromRuntime(f, "System", "system", true), " = {");
  f.print("  services: [");
  for (const service of contract.services) {
    f.print("    {");
    f.print("      name: ", f.string(service.name), ",");
    f.print("      service: ", f.importSchema(service.desc), ",");
    f.print("      policy: ", fromGenerated(f, service.exports.policy, service.file, "_policy"), ",");
    f.print("      codecs: ", fromGenerated(f, service.exports.codecs, service.file, "_codec"), ",");
    f.print("      routes: ", routes(f, service), ",");
    // The environment has the addresses of services that this system does not run. Services of the same process need none.
    const calls = service.calls.filter((callee) => callee.run && callee.name !== service.name);
    f.print("      calls: ", strings(calls.map((callee) => callee.name)), ",");
    f.print("      tables: ", strings(service.entities.map((entity) => entity.table)), ",");
    const publishes = publishedBy(service);
    if (publishes.length > 0) f.print("      publishes: ", events(f, publishes), ",");
    const consumes = service.consumes.map(({ event }) => event);
    if (consumes.length > 0) f.print("      consumes: ", events(f, consumes), ",");
    f.print("    },");
  }
  f.print("  ],");
  f.print("};");
}

function events(f: GeneratedFile, list: readonly Event[]): Printable[] {
  const names = list.map(({ exports, file }) => fromGenerated(f, exports.event, file, "_events"));
  return ["[", ...names.flatMap((name, position) => (position === 0 ? [name] : [", ", name])), "]"];
}

function routes(f: GeneratedFile, service: Service) {
  return hasRoutes(service) ? fromGenerated(f, service.exports.routes, service.file, "_routes") : "[]";
}
