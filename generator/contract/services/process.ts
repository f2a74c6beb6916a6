import type { Service } from "../contract.js";

/** Returns whether a service has state, of which a process has only one: a database, events, sagas or deferred writes. */
export function hasState({ entities, consumes, methods }: Service): boolean {
  return (
    entities.length > 0 ||
    consumes.length > 0 ||
    methods.some(
      ({ publishes, saga, deferred }) => publishes.length > 0 || saga !== undefined || deferred !== undefined,
    )
  );
}

/** Sorts services by name. Services with the same name are one process; the one with state comes first. */
export function byProcess(services: readonly Service[]): Service[] {
  const rank = (service: Service) => `${service.name} ${hasState(service) ? 0 : 1} ${service.desc.typeName}`;
  return services.toSorted((a, b) => (rank(a) < rank(b) ? -1 : 1));
}

/** Returns the first service of each process: the one with state, if there is one. Expects the order of `byProcess`. */
export function processOwners(services: readonly Service[]): Service[] {
  return services.filter((service, i) => services[i - 1]?.name !== service.name);
}
