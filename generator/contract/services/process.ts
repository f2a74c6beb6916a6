import type { Service } from "../contract.js";

/** Whether a service has what its process has once: a database, events, sagas or deferred writes. */
export function hasState({ entities, consumes, methods }: Service): boolean {
  return (
    entities.length > 0 ||
    consumes.length > 0 ||
    methods.some(
      ({ publishes, saga, deferred }) => publishes.length > 0 || saga !== undefined || deferred !== undefined,
    )
  );
}

/** Sorts services by name; of those with one name, which one process serves, the one with state comes first. */
export function byProcess(services: readonly Service[]): Service[] {
  const rank = (service: Service) => `${service.name} ${hasState(service) ? 0 : 1} ${service.desc.typeName}`;
  return services.toSorted((a, b) => (rank(a) < rank(b) ? -1 : 1));
}

/** The first service of each process, which is the one with state if any is. Expects the order of `byProcess`. */
export function processOwners(services: readonly Service[]): Service[] {
  return services.filter((service, i) => services[i - 1]?.name !== service.name);
}
