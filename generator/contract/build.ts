import { createFileRegistry, type DescFile, type DescMessage, type FileRegistry } from "@bufbuild/protobuf";
import type { FileDescriptorSet } from "@bufbuild/protobuf/wkt";
import { addChecks } from "./check.js";
import type { Contract, ContractFile, Entity, Event, Service } from "./contract.js";
import { buildEntity, type EntityDraft } from "./entities/entity.js";
import { isEntity } from "./entities/entity-option.js";
import { linkReferences } from "./entities/reference.js";
import { checkRelations } from "./entities/relations.js";
import { longestName } from "./entities/sql-name.js";
import { buildEvent, checkEvents, type EventDraft } from "./events/event.js";
import { isEvent } from "./events/event-option.js";
import { linkEvents } from "./events/subscription.js";
import type { Diagnostic } from "./findings/diagnostic.js";
import { Findings } from "./findings/findings.js";
import { deepFreeze } from "./freeze.js";
import { camelCase, kebabCase, takenServiceNames } from "./names/names.js";
import { checkTypeScript } from "./names/typescript.js";
import { linkSagas } from "./sagas/saga.js";
import { checkSagaOverflow } from "./sagas/saga-overflow.js";
import { checkRoutes } from "./services/http.js";
import { byProcess, hasState } from "./services/process.js";
import { buildService, type Draft, linkCalls, type Owners } from "./services/service.js";
import { isGiven, type Naming, nameServices, otherName, unnamed } from "./services/short-name.js";
import { isOwn } from "./vendored.js";

/** A contract with its findings. It must not be used if there are errors among them. */
export interface Reading {
  readonly contract: Contract;
  readonly findings: readonly Diagnostic[];
}

/**
 * Builds the contract of an image and checks it. Returns all findings; their places name files as the image does.
 *
 * @param naming the names that package.json gives to services, and the services that it has run
 */
export function buildContract(image: FileDescriptorSet, naming: Naming = unnamed): Reading {
  const registry = createFileRegistry(image);
  const files = image.file.flatMap(({ name }) => (isOwn(name) ? (registry.getFile(name) ?? []) : []));
  const findings = new Findings();
  const entities = readEntities(files, findings);
  const owners: Owners = new Map();
  const services = readServices(files, registry, entities, owners, naming, findings);
  linkEntities(services, entities, registry);
  const events = readEvents(files, services, registry, findings);
  checkOwners(files, owners, findings);
  checkNames(services, naming, findings);
  checkTypeScript(files, findings);
  checkRoutes(
    services.flatMap((service) => (service.run ? service.methods : [])),
    findings,
  );
  const owned = services.flatMap((service) => service.entities);
  const contract: Contract = {
    files: files.map((file) => contractFile(file, services, owned, events)),
    services: byProcess(services.filter((service) => service.run)),
    entities: owned.toSorted((a, b) => byCodeUnit(a.desc.typeName, b.desc.typeName)),
    events: events.toSorted((a, b) => byCodeUnit(a.desc.typeName, b.desc.typeName)),
  };
  return { contract: deepFreeze(contract), findings: findings.all() };
}

function readEntities(files: readonly DescFile[], findings: Findings): Map<string, EntityDraft> {
  const entities = new Map<string, EntityDraft>();
  for (const message of files.flatMap((file) => allMessages(file.messages))) {
    const entity = isEntity(message) ? buildEntity(message, findings) : undefined;
    if (entity !== undefined) entities.set(message.typeName, entity);
  }
  return entities;
}

function readServices(
  files: readonly DescFile[],
  registry: FileRegistry,
  entities: ReadonlyMap<string, Entity>,
  owners: Owners,
  naming: Naming,
  findings: Findings,
): Draft[] {
  const services = files.flatMap((file) =>
    file.services.map((desc) => buildService(desc, registry, entities, owners, naming, findings)),
  );
  const byType = new Map(services.map((service) => [service.desc.typeName, service]));
  for (const service of services) linkCalls(service, registry, byType, findings);
  nameServices(services, naming);
  for (const service of services) linkSagas(service, registry, findings);
  checkSagaOverflow(services, registry, findings);
  return services;
}

function readEvents(
  files: readonly DescFile[],
  services: readonly Draft[],
  registry: FileRegistry,
  findings: Findings,
): EventDraft[] {
  const messages = files.flatMap((file) => allMessages(file.messages)).filter(isEvent);
  const events = messages.map((message) => buildEvent(message, findings));
  const byType = new Map(events.map((event) => [event.desc.typeName, event]));
  for (const service of services) linkEvents(service, registry, byType, findings);
  checkEvents(events, findings);
  return events;
}

/** Completes entities with references and checks, which need all entities. */
function linkEntities(
  services: readonly Service[],
  drafts: ReadonlyMap<string, EntityDraft>,
  registry: FileRegistry,
): void {
  for (const service of services) {
    const owned = service.entities.flatMap(({ desc }) => drafts.get(desc.typeName) ?? []);
    for (const entity of owned) linkReferences(entity, owned);
  }
  for (const entity of drafts.values()) addChecks(entity, registry);
}

function contractFile(
  desc: DescFile,
  services: readonly Service[],
  entities: readonly Entity[],
  events: readonly Event[],
): ContractFile {
  return {
    desc,
    path: desc.name,
    services: services.filter((service) => service.file === desc.name),
    entities: entities.filter((entity) => entity.file === desc.name),
    events: events.filter((event) => event.file === desc.name),
  };
}

/** Checks that each entity has one owner: its rows are in one service's database. */
function checkOwners(files: readonly DescFile[], owners: Owners, findings: Findings): void {
  for (const message of files.flatMap((file) => allMessages(file.messages)).filter(isEntity)) {
    const [owner, ...others] = owners.get(message) ?? [];
    if (owner === undefined) {
      findings.error(
        "ENTITY_UNOWNED",
        message,
        `No service owns ${message.name}: add entities: "${message.name}" to one's (scaffold.v1.service).`,
      );
    } else if (others.length > 0) {
      const names = [owner, ...others].map((service) => service.typeName).join(" and ");
      findings.error(
        "ENTITY_OWNER",
        message,
        `${message.name} is owned by ${names}: keep one, and let the other call it.`,
      );
    }
  }
}

/**
 * Checks that the short names of processes and of called services are unique. Services to which the project gives the same
 * name are one process.
 */
function checkNames(services: readonly Service[], naming: Naming, findings: Findings): void {
  const called = new Set(services.flatMap(({ run, calls }) => (run ? calls : [])));
  const names = new Map<string, Service>();
  for (const service of services.filter((each) => each.run || called.has(each))) {
    const { name, desc } = service;
    const way = (other: string) => `name it in package.json, "scaffold": {"names": {"${desc.typeName}": "${other}"}}`;
    const other = names.get(name);
    const isShared = other?.run && service.run && [service, other].every((each) => isGiven(each.desc, naming));
    if (isShared && hasState(service) && hasState(other)) {
      const text = `${desc.name} and ${other.desc.typeName} are one process, "${name}", and both have data, events or sagas, which a process has once: ${way(otherName(service))}, or let one call the other.`;
      findings.error("SERVICE_NAME_TAKEN", desc, text);
    } else if (other !== undefined && !isShared) {
      const own = kebabCase(desc.name.replace(/(?<=.)Service$/, ""));
      const text = `${desc.name} and ${other.desc.typeName} are both called "${name}": ${way(own === name ? otherName(service) : own)}.`;
      findings.error("SERVICE_NAME_TAKEN", desc, text);
    }
    if (takenServiceNames.has(name)) {
      const text = `"${name}" is the system's own name for a part of it: ${way(otherName(service))}.`;
      findings.error("SERVICE_NAME_TAKEN", desc, text);
    }
    if (name.length > longestName) {
      const text = `"${name}" is longer than a database's name can be, ${longestName} bytes: ${way(name.slice(0, 20).replace(/-[^-]*$/, ""))}.`;
      findings.error("SERVICE_NAME_TAKEN", desc, text);
    }
    if (other === undefined || hasState(service)) names.set(name, service);
    if (!service.run) continue;
    checkResources(service, findings);
    checkRelations(service, findings);
  }
}

/** Checks the names that a handler reaches as `service.<name>`: entities, called services, and the runtime's own. */
function checkResources(service: Service, findings: Findings): void {
  const taken = new Map<string, string>([
    ["transaction", "the function that opens a transaction"],
    ["once", "the function that does something once"],
    ["undo", "the function that undoes it"],
    ["sagas", "the sagas that its methods start"],
  ]);
  const claim = (name: string, what: string, wayOut = "rename one") => {
    const other = taken.get(name);
    if (other !== undefined) {
      findings.error(
        "SERVICE_RESOURCE_TAKEN",
        service.desc,
        `In ${service.desc.name}'s handlers service.${name} would be both ${other} and ${what}: ${wayOut}.`,
      );
    }
    taken.set(name, what);
  };
  for (const entity of service.entities) {
    claim(entity.plural, entity.desc.typeName);
  }
  for (const callee of service.calls) {
    const { typeName } = callee.desc;
    const names = `"scaffold": {"names": {"${typeName}": "${otherName(callee)}"}}`;
    claim(camelCase(callee.name), typeName, `rename one, or name the called one in package.json, ${names}`);
  }
}

function allMessages(messages: readonly DescMessage[]): DescMessage[] {
  return messages.flatMap((message) => [message, ...allMessages(message.nestedMessages)]);
}

function byCodeUnit(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
