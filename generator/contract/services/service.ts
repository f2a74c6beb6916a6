import {
  type DescField,
  type DescMessage,
  type DescMethod,
  type DescService,
  getOption,
  hasOption,
  type Registry,
  ScalarType,
} from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import {
  type Compression,
  CompressionAlgorithm,
  type MethodOptions,
  method as methodOption,
  Reads,
  service as serviceOption,
} from "@protoscaffold/runtime/codegen/options/scaffold/v1/options_pb.js";
import type {
  Deferred,
  Entity,
  Event,
  Http,
  MessageCompression,
  Method,
  Service,
  Standard,
  Subscription,
} from "../contract.js";
import { isEntity } from "../entities/entity-option.js";
import type { Findings } from "../findings/findings.js";
import { serviceExports } from "../names/exports.js";
import { resolve } from "../names/names.js";
import { optionPath } from "../option-path.js";
import { buildRoutes } from "./http.js";
import type { Naming } from "./short-name.js";
import { findStandard } from "./standard.js";

const DEFAULT_TIMEOUT_MS = 10_000;

/** A service without its name, calls and events, which need all services. */
export type Draft = Service & {
  name: string;
  calls: Service[];
  consumes: Subscription[];
  methods: readonly MethodDraft[];
};

/** A method without its events; some of its routes may still be removed. */
export type MethodDraft = Method & { standard: Standard | undefined; publishes: Event[]; routes: Http[] };

/** The services that declare an entity as theirs. */
export type Owners = Map<DescMessage, DescService[]>;

/** Returns a service without its calls, and records the entities that it owns. */
export function buildService(
  desc: DescService,
  registry: Registry,
  entities: ReadonlyMap<string, Entity>,
  owners: Owners,
  naming: Naming,
  findings: Findings,
): Draft {
  const run = hasOption(desc, serviceOption) || naming.run.includes(desc.typeName);
  const compression = compressionOf(desc, getOption(desc, serviceOption).compression, findings);
  const owned = ownedEntities(desc, registry, entities, owners, findings);
  return {
    desc,
    file: desc.file.name,
    name: "",
    exports: serviceExports(desc),
    run,
    methods: desc.methods.map((method) => buildMethod(method, owned, compression, findings)),
    entities: owned,
    calls: [],
    consumes: [],
  };
}

/** Fills in the services that a service calls, whether this system runs them or not. */
export function linkCalls(
  service: Draft,
  registry: Registry,
  services: ReadonlyMap<string, Service>,
  findings: Findings,
): void {
  getOption(service.desc, serviceOption).calls.forEach((name, position) => {
    const at = optionPath(serviceOption, "calls", position);
    const found = resolve(registry, "service", name, service.desc.file.proto.package);
    const target = found && services.get(found.typeName);
    if (found !== undefined && target === undefined) {
      findings.error(
        "OPTION_NAME_UNKNOWN",
        service.desc,
        `${found.typeName} comes with a package, and no client of it is generated: remove it from calls.`,
        at,
      );
    } else if (target === undefined) {
      const known = [...services.keys()].filter((typeName) => typeName !== service.desc.typeName);
      findings.error(
        "OPTION_NAME_UNKNOWN",
        service.desc,
        `No service is called ${name}; there are ${known.join(", ") || "no others"}.`,
        at,
      );
    } else if (target === service) {
      findings.error(
        "SERVICE_CALLS_ITSELF",
        service.desc,
        `${service.desc.name} calls itself: share a function between its handlers instead.`,
        at,
      );
    } else if (!service.calls.includes(target)) {
      service.calls.push(target);
    }
  });
}

function ownedEntities(
  desc: DescService,
  registry: Registry,
  entities: ReadonlyMap<string, Entity>,
  owners: Owners,
  findings: Findings,
): Entity[] {
  return getOption(desc, serviceOption).entities.flatMap((name, position) => {
    const at = optionPath(serviceOption, "entities", position);
    const message = resolve(registry, "message", name, desc.file.proto.package);
    if (message === undefined) {
      return (
        findings.error(
          "OPTION_NAME_UNKNOWN",
          desc,
          `No message is called ${name} here: name it from the package on, or declare it.`,
          at,
        ) ?? []
      );
    }
    if (!isEntity(message)) {
      return (
        findings.error(
          "ENTITY_UNDECLARED",
          desc,
          `${message.name} is owned, but is not an entity: give it option (scaffold.v1.entity).`,
          at,
        ) ?? []
      );
    }
    owners.set(message, [...(owners.get(message) ?? []), desc]);
    return entities.get(message.typeName) ?? [];
  });
}

function buildMethod(
  desc: DescMethod,
  entities: readonly Entity[],
  compression: MessageCompression | undefined,
  findings: Findings,
): MethodDraft {
  const options = getOption(desc, methodOption);
  const key = idempotencyKey(desc, options.idempotencyKey, findings);
  if (options.timeoutMs > 2 ** 31 - 1) {
    findings.error(
      "METHOD_TIMEOUT",
      desc,
      `${options.timeoutMs} ms is longer than a timer runs (24 days): leave timeout_ms out for no bound.`,
      optionPath(methodOption, "timeout_ms"),
    );
  }
  return {
    desc,
    standard: findStandard(desc, entities, key, findings),
    replicas: readsReplicas(desc, options, entities, findings),
    deferred: deferredAnswer(desc, options, entities, key, findings),
    compression: options.compression ? compressionOf(desc, options.compression, findings) : compression,
    publishes: [],
    timeoutMs: options.timeoutMs || (desc.methodKind === "unary" ? DEFAULT_TIMEOUT_MS : undefined),
    idempotencyKey: key,
    idempotencyIgnores: idempotencyIgnores(desc, options.idempotencyIgnores, key, findings),
    saga: undefined,
    routes: buildRoutes(desc, findings),
  };
}

/** Options that a service sets for all its methods, or a method for itself. */
function compressionOf(
  desc: DescService | DescMethod,
  option: Compression | undefined,
  findings: Findings,
): MessageCompression | undefined {
  if (option === undefined) return undefined;
  const { algorithm, minBytes } = option;
  const at = optionPath(desc.kind === "service" ? serviceOption : methodOption, "compression");
  const fault = (message: string) => findings.error("METHOD_COMPRESSION", desc, message, at);
  if (CompressionAlgorithm[algorithm] === undefined) {
    return fault(`compression has no algorithm ${algorithm}: say COMPRESSION_ALGORITHM_IDENTITY or _GZIP.`);
  }
  const isSilent = algorithm === CompressionAlgorithm.UNSPECIFIED;
  if (isSilent && minBytes === 0)
    return fault("compression says nothing: give it an algorithm or min_bytes, or remove it.");
  const isNever = algorithm === CompressionAlgorithm.IDENTITY;
  if (isNever && minBytes > 0) {
    return fault("min_bytes means nothing where nothing is compressed: remove it, or say COMPRESSION_ALGORITHM_GZIP.");
  }
  return { algorithm: isSilent ? undefined : isNever ? "identity" : "gzip", minBytes: minBytes || undefined };
}

function idempotencyKey(desc: DescMethod, name: string, findings: Findings): DescField | undefined {
  if (name === "") return undefined;
  const at = optionPath(methodOption, "idempotency_key");
  if (desc.methodKind !== "unary") {
    return findings.error(
      "METHOD_KEY",
      desc,
      `${desc.name} streams, so no one request holds its key: remove idempotency_key.`,
      at,
    );
  }
  const field = desc.input.fields.find((candidate) => candidate.name === name);
  if (field?.fieldKind !== "scalar" || field.scalar !== ScalarType.STRING || field.oneof !== undefined) {
    return findings.error(
      "METHOD_KEY",
      desc,
      `${desc.input.name} has no string ${name}: add one, or name another field.`,
      at,
    );
  }
  return field;
}

function idempotencyIgnores(
  desc: DescMethod,
  names: readonly string[],
  key: DescField | undefined,
  findings: Findings,
): DescField[] {
  return names.flatMap((name, position) => {
    const fault = (message: string) =>
      findings.error("METHOD_KEY", desc, message, optionPath(methodOption, "idempotency_ignores", position)) ?? [];
    const field = desc.input.fields.find((candidate) => candidate.name === name);
    if (key === undefined) return fault(`${desc.name} has no idempotency_key, so nothing ignores ${name}: name a key.`);
    if (field === undefined)
      return fault(`${desc.input.name} has no ${name}: add it, or leave it out of idempotency_ignores.`);
    if (field === key) return fault(`${name} is the idempotency_key itself: leave it out of idempotency_ignores.`);
    return field;
  });
}

function readsReplicas(
  desc: DescMethod,
  { reads }: MethodOptions,
  entities: readonly Entity[],
  findings: Findings,
): boolean {
  const fault = (message: string) => findings.error("METHOD_READS", desc, message, optionPath(methodOption, "reads"));
  if (reads === Reads.UNSPECIFIED || reads === Reads.PRIMARY) return false;
  if (reads !== Reads.REPLICA) fault(`reads is ${reads}, which means nothing: say READS_PRIMARY or READS_REPLICA.`);
  else if (desc.idempotency !== MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS) {
    fault(`${desc.name} may write: mark it NO_SIDE_EFFECTS, or leave reads out.`);
  } else if (entities.length === 0) {
    fault(`${desc.parent.name} owns no entities, so ${desc.name} reads none: leave reads out.`);
  }
  return true;
}

function deferredAnswer(
  desc: DescMethod,
  { deferred }: MethodOptions,
  entities: readonly Entity[],
  key: DescField | undefined,
  findings: Findings,
): Deferred | undefined {
  if (deferred === undefined) return undefined;
  const fault = (message: string) =>
    findings.error("METHOD_DEFERRED", desc, message, optionPath(methodOption, "deferred"));
  if (desc.methodKind !== "unary") return fault(`${desc.name} streams, so it cannot be deferred: remove deferred.`);
  if (desc.idempotency === MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS) {
    return fault(`${desc.name} has no side effects, so there is nothing to defer: remove deferred.`);
  }
  if (key === undefined) return fault(`${desc.name} has no idempotency_key to be made once by: name one.`);
  if (entities.length === 0) {
    return fault(`${desc.parent.name} owns no entities, so no database of its own is away: remove deferred.`);
  }
  const field = desc.output.fields.find((candidate) => candidate.name === deferred.field);
  if (field?.fieldKind !== "enum" || field.oneof !== undefined) {
    return fault(`${desc.output.name} has no enum "${deferred.field}": add one, or name another field.`);
  }
  const value = field.enum.values.find((candidate) => candidate.name === deferred.value);
  if (value === undefined) {
    const known = field.enum.values.map(({ name }) => name).join(", ");
    return fault(`${field.enum.name} has no value "${deferred.value}": add it, or name one of ${known}.`);
  }
  return { field, value };
}
