import type { DescFile, DescMessage, DescMethod, DescService } from "@bufbuild/protobuf";
import { nestedTypes } from "@bufbuild/protobuf/reflect";
import { isEntity } from "../entities/entity-option.js";
import { isEvent } from "../events/event-option.js";
import { identifier } from "./identifier.js";
import { camelCase, lowerFirst, plural } from "./names.js";

/** The names that generated code exports for a service, each from one generated file. */
export interface ServiceExports {
  readonly policy: string;
  readonly routes: string;
  readonly handler: string;
  readonly entities: string;
  readonly peers: string;
  /** The union type of the events that it publishes. */
  readonly events: string;
  readonly consumers: string;
  /** The type of its upcasters. */
  readonly upcasters: string;
  /** The function that creates the service from its handlers. */
  readonly define: string;
  /** The type of the sagas that its methods start. */
  readonly sagas: string;
  /** The codecs of its requests, responses and entities. */
  readonly codecs: string;
  readonly client: string;
  /** The function that creates a client. Two files export the name: one for Node.js and one for browsers. */
  readonly connect: string;
}

/** The names that generated code exports for a saga, each from one generated file. */
export interface SagaExports {
  /** The type that its author implements. */
  readonly definition: string;
  /** The specification, from the contract. */
  readonly spec: string;
}

/** The names that generated code exports for an entity, each from one generated file. */
export interface EntityExports {
  readonly table: string;
  readonly row: string;
  readonly toRow: string;
  readonly fromRow: string;
  readonly repository: string;
  readonly entity: string;
  readonly cache: string;
}

/** The names that generated code exports for an event. */
export interface EventExports {
  readonly event: string;
}

/** The names that generated code exports for the codec of a message. */
export interface CodecExports {
  readonly codec: string;
  readonly write: string;
  readonly read: string;
  /** The function that creates an empty message. */
  readonly make: string;
}

interface FileExports {
  readonly services: ReadonlyMap<DescService, ServiceExports>;
  readonly sagas: ReadonlyMap<DescMethod, SagaExports>;
  readonly entities: ReadonlyMap<DescMessage, EntityExports>;
  readonly events: ReadonlyMap<DescMessage, EventExports>;
  readonly codecs: ReadonlyMap<DescMessage, CodecExports>;
}

const known = new WeakMap<DescFile, FileExports>();

export function serviceExports(service: DescService): ServiceExports {
  return exportsOf(service.file).services.get(service) as ServiceExports;
}

export function sagaExports(method: DescMethod): SagaExports {
  return exportsOf(method.parent.file).sagas.get(method) as SagaExports;
}

export function entityExports(message: DescMessage): EntityExports {
  return exportsOf(message.file).entities.get(message) as EntityExports;
}

export function eventExports(message: DescMessage): EventExports {
  return exportsOf(message.file).events.get(message) as EventExports;
}

export function codecExports(message: DescMessage): CodecExports {
  return exportsOf(message.file).codecs.get(message) as CodecExports;
}

/** Assigns all names at once. The first declaration in the file has the plain name, so later declarations rename nothing. */
function exportsOf(file: DescFile): FileExports {
  let names = known.get(file);
  if (names === undefined) {
    const take = allocator();
    const services = file.services.map((service) => [service, serviceNames(service, take)] as const);
    const methods = file.services.flatMap((service) => service.methods);
    const sagas = methods.map((method) => [method, sagaNames(method, take)] as const);
    const messages = [...nestedTypes(file)].filter((desc) => desc.kind === "message");
    const entities = messages.filter(isEntity).map((message) => [message, entityNames(message, take)] as const);
    const events = messages.filter(isEvent).map((message) => [message, eventNames(message, take)] as const);
    const codecs = messages.map((message) => [message, codecNames(message, take)] as const);
    names = {
      services: new Map(services),
      sagas: new Map(sagas),
      entities: new Map(entities),
      events: new Map(events),
      codecs: new Map(codecs),
    };
    known.set(file, names);
  }
  return names;
}

type Take = (artefact: string, name: string) => string;

function serviceNames({ name }: DescService, take: Take): ServiceExports {
  const lower = lowerFirst(name);
  return {
    policy: take("policy", `${lower}Policy`),
    routes: take("routes", `${lower}Routes`),
    handler: take("service", `${name}Handler`),
    entities: take("service", `${name}Entities`),
    peers: take("service", `${name}Peers`),
    events: take("service", `${name}Events`),
    consumers: take("service", `${name}Consumers`),
    upcasters: take("service", `${name}Upcasters`),
    define: take("service", lower),
    sagas: take("saga", `${name}Sagas`),
    codecs: take("codec", `${lower}Codecs`),
    client: take("client", `${name}Client`),
    connect: take("client", `create${name}Client`),
  };
}

function sagaNames({ name }: DescMethod, take: Take): SagaExports {
  return { definition: take("saga", `${name}Saga`), spec: take("saga", `${lowerFirst(name)}Saga`) };
}

function entityNames(message: DescMessage, take: Take): EntityExports {
  const name = qualified(message);
  const lower = lowerFirst(name);
  return {
    table: take("schema", camelCase(plural(message.name))),
    row: take("schema", `${name}Row`),
    toRow: take("schema", `${lower}ToRow`),
    fromRow: take("schema", `${lower}FromRow`),
    repository: take("repository", `${name}Repository`),
    entity: take("repository", `${lower}Entity`),
    cache: take("cache", `${lower}Cache`),
  };
}

function eventNames(message: DescMessage, take: Take): EventExports {
  return { event: take("events", lowerFirst(qualified(message))) };
}

function codecNames(message: DescMessage, take: Take): CodecExports {
  const name = qualified(message);
  return {
    codec: take("codec", `${lowerFirst(name)}Codec`),
    write: take("codec", `write${name}`),
    read: take("codec", `read${name}`),
    make: take("codec", `new${name}`),
  };
}

/** The type of a consumer's upcaster: "OrderPlacedFrom1". */
export function upcasterExport(message: DescMessage, from: number): string {
  // All other exports of the file begin with a small letter.
  return `${qualified(message)[0]?.toUpperCase()}${qualified(message).slice(1)}From${from}`;
}

/** Returns the name that protoc-gen-es uses: "Order_Line" for a Line inside Order. */
export function qualified(message: DescMessage): string {
  return message.parent === undefined ? message.name : `${qualified(message.parent)}_${message.name}`;
}

/**
 * Returns names that are free in their generated file. A taken one gets "$", "$1" or "$2" at its end, as in protoc-gen-es: no
 * name in a contract holds a "$".
 */
function allocator(): Take {
  const taken = new Set<string>();
  return (artefact, wanted) => {
    let name = identifier(wanted);
    for (let salt = 0; taken.has(`${artefact} ${name}`); salt++) name = `${wanted}$${salt || ""}`;
    taken.add(`${artefact} ${name}`);
    return name;
  };
}
