/** A service that the supervisor runs. */
export interface ServicePlan {
  /** Its short name: the name of its folder, its process and its database. */
  readonly name: string;
  /** The names of the services it calls. */
  readonly calls: readonly string[];
  /** Whether it has a database. */
  readonly database: boolean;
  /** Whether it publishes or consumes events. Default: no. */
  readonly events?: boolean;
}

/**
 * Returns the order in which services stop: callers end before callees, so that a running call still finds its peer. Services of
 * one group do not call each other, except in a cycle, which has no order.
 */
export function stopOrder(services: readonly ServicePlan[]): string[][] {
  const groups: string[][] = [];
  let left = [...services];
  while (left.length > 0) {
    const called = new Set(left.flatMap(({ name, calls }) => calls.filter((callee) => callee !== name)));
    const free = left.filter(({ name }) => !called.has(name));
    const group = free.length > 0 ? free : left;
    groups.push(group.map(({ name }) => name));
    left = left.filter((service) => !group.includes(service));
  }
  return groups;
}
