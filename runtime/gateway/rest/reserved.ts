import type { PathTemplate } from "./template.js";

/** The gateway's own paths: its health, and a reserved path for metrics, the same as in all services. */
const ownPaths: ReadonlySet<string> = new Set(["healthz", "readyz", "metrics"]);

/** The services of every gateway, beside those of its system. */
const ownServices = [
  "grpc.health.v1.Health",
  "grpc.reflection.v1.ServerReflection",
  "grpc.reflection.v1alpha.ServerReflection",
];

/**
 * What already answers all paths of a template; undefined if nothing does.
 *
 * @param services the full names of the services whose calls the gateway passes on
 */
export function reservedBy({ segments }: PathTemplate, services: readonly string[]): string | undefined {
  const [first, ...others] = segments;
  if (first?.kind !== "literal") return undefined;
  if (others.length === 0) return ownPaths.has(first.text) ? "the gateway itself" : undefined;
  const service = [...ownServices, ...services].find((name) => name === first.text);
  return service === undefined ? undefined : `RPC calls of ${service}`;
}
