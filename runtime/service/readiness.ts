import type { Availability } from "../data/postgres/cluster.js";
import type { Health } from "../server/health.js";
import type { HttpPage } from "../server/page.js";
import type { MethodPolicy } from "../spec/policy.js";
import type { ServiceSpec } from "../spec/service.js";

/**
 * Whether anything of a service can be served with what there is of its database: all with a primary; without one, writes
 * that are deferred, rows that may be answered stale, and methods that read replicas.
 */
export function canServe(
  { policy, entities }: ServiceSpec,
  { primary, replicas }: Availability,
  defers: boolean,
): boolean {
  if (primary) return true;
  const methods: MethodPolicy[] = Object.values(policy);
  const stale = Object.values(entities).some(({ cache }) => cache !== undefined && cache.staleIfErrorMs > 0);
  const deferred = defers && methods.some((method) => method.deferred !== undefined);
  return stale || deferred || (replicas && methods.some((method) => method.replicas === true));
}

/** Health for those who ask by plain HTTP: 200 while it serves, 503 otherwise, and why that may be as JSON. */
export function healthPages(health: Health): Readonly<Record<"/healthz" | "/readyz", HttpPage>> {
  const page = (name: string): HttpPage => ({
    contentType: "application/json",
    status: () => (health.status(name) === "SERVING" ? 200 : 503),
    text: () => JSON.stringify({ status: health.status(name), ...health.dependencies() }),
  });
  return { "/healthz": page("liveness"), "/readyz": page("readiness") };
}
