import { type Data, type DataOptions, openData } from "../data/data.js";
import { type Outbox, openPublishing } from "../events/outbox.js";
import { hasEvents, type ServiceSpec } from "../spec/service.js";

/** A service's database, and where its transactions leave what they publish. */
export interface ServiceData {
  readonly data: Data;
  /** Undefined if it publishes nothing. */
  readonly outbox?: Outbox;
}

/** Opens the database of a service, with all that its contract says of it. */
export function openServiceData(
  spec: ServiceSpec,
  options: Omit<DataOptions, "service" | "entities" | "extend" | "prepares">,
): ServiceData {
  const { name, service, entities, publishes } = spec;
  const all = { ...options, service: name, entities, prepares: hasEvents(spec) };
  return publishes === undefined ? { data: openData(all) } : openPublishing(service.typeName, all);
}
