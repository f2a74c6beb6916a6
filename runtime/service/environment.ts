import { propagatedHeadersVariable } from "../call/propagation.js";
import {
  bytes,
  type EnvironmentText,
  flag,
  folder,
  hours,
  httpUrl,
  milliseconds,
  optional,
  postgresUrl,
  postgresUrls,
  redisUrl,
} from "../config/environment.js";
import { processVariables } from "../config/process-variables.js";
import { readVariables, type Values, type VariableCondition, type Variables } from "../config/variables.js";
import { brokerUrl } from "../events/broker-url.js";
import { COMPRESS_MIN_BYTES } from "../grpc/gzip.js";
import type { MethodPolicy } from "../spec/policy.js";
import { hasDatabase, hasEvents, type ServiceSpec } from "../spec/service.js";
import { addressVariable } from "../spec/system.js";

/** The services of a process: the first owns its data, the others stand beside it. */
type ServiceProcess = readonly [ServiceSpec, ...ServiceSpec[]];

function when(text: string, holds: (spec: ServiceSpec) => boolean): VariableCondition<ServiceProcess> {
  return { text, holds: ([spec]) => holds(spec) };
}

const ownsData = when("the service owns data", hasDatabase);
const defersWrites = when("the service defers writes", ({ policy }) =>
  Object.values(policy).some(({ deferred }: MethodPolicy) => deferred !== undefined),
);
const startsSagas = when("the service starts sagas", ({ sagas }) => sagas !== undefined);

/** The environment variables of a service. docs/reference/environment.md is printed from here. */
export const serviceVariables = {
  ...processVariables,
  addresses: {
    reader: httpUrl(),
    meaning: "The address of a service that it calls, such as `INVENTORY_URL`. `https://` is called with TLS.",
    each: {
      pattern: "<NAME>_URL",
      text: "each service that it calls",
      of: ([spec, ...beside]) =>
        [spec, ...beside]
          .flatMap(({ peers }) => Object.values(peers))
          .filter(({ name }) => name !== spec.name)
          .map(({ name }) => addressVariable(name)),
    },
  },
  PROPAGATED_HEADERS: {
    reader: propagatedHeadersVariable,
    meaning: "The headers that propagate beside those that always do.",
  },
  COMPRESS_MIN_BYTES: {
    reader: bytes(COMPRESS_MIN_BYTES),
    meaning: "The shortest response that is compressed for callers that accept it.",
  },
  DATABASE_URL: {
    reader: postgresUrl(),
    meaning: "Its PostgreSQL database (14 or later).",
    askedIf: ownsData,
  },
  DATABASE_REPLICA_URLS: {
    reader: postgresUrls([]),
    meaning: "The other nodes of its database. Which one is the primary is found out.",
    askedIf: ownsData,
  },
  MIGRATE: {
    reader: flag(false),
    meaning: "`on`: apply missing migrations at start. Otherwise a database that lacks one is refused.",
    askedIf: ownsData,
  },
  CACHE_URL: {
    reader: optional(redisUrl()),
    meaning: "Redis, in which instances share cached rows.",
    unset: "each instance has a cache of its own",
    askedIf: ownsData,
  },
  BROKER_URL: {
    reader: brokerUrl,
    meaning: "The broker of events: `postgres://…`, `kafka://…` or `amqp://…`.",
    askedIf: when("the service publishes or consumes events", hasEvents),
  },
  JOURNAL_DIR: {
    reader: folder(),
    meaning: "The folder of this instance, and no other, for deferred writes.",
    askedIf: defersWrites,
  },
  JOURNAL_MAX_BYTES: {
    reader: bytes(2 ** 26),
    meaning: "How much that folder may contain, dead letters included.",
    askedIf: defersWrites,
  },
  SAGA_LEASE_MS: {
    reader: milliseconds(3000),
    meaning: "How long after an instance died another one continues its sagas.",
    askedIf: startsSagas,
  },
  SAGA_RETENTION_H: {
    reader: optional(hours()),
    meaning: "How long ended sagas are kept.",
    unset: "the contract's `retention_h`",
    askedIf: startsSagas,
  },
} satisfies Variables<ServiceProcess>;

/** The values of a service's variables. */
export type ServiceEnvironment = Values<typeof serviceVariables>;

/** Reads the environment of a process that serves these. Throws an EnvironmentError that names every fault. */
export function readServiceEnvironment(services: ServiceProcess, env: EnvironmentText): ServiceEnvironment {
  return readVariables(serviceVariables, services, env);
}
