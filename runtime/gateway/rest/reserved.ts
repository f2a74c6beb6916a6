import type { PathTemplate } from "./template.js";

/** The paths of the gateway's health pages, and the path of metrics, which services have. */
const ownPaths: ReadonlySet<string> = new Set(["healthz", "readyz", "metrics"]);

/** The gRPC services that every gateway implements itself. */
const ownServices = [
  "grpc.health.v1.Health",
  "grpc.reflection.v1.ServerReflection",
  "grpc.reflection.v1alpha.ServerReflection",
];

/**
 * Returns the name of what already serves all paths of a template; undefined if nothing does.
 *
 * @param services the full names of the services whose calls the gateway forwards
 */
export function reservedBy({ segments }: PathTemplate, services: readonly string[]): string | undefined {
  const [first, ...others] = segments;
  if (first?.kind !== "literal") return undefined;
  if (others.length === 0) return ownPaths.has(first.text) ? "the gateway itself" : undefined;
  const service = [...ownServices, ...services].find((name) => name === first.text);
  return service === undefined ? undefined : `RPC calls of ${service}`;
}
