import type { GeneratedFile, Printable } from "@bufbuild/protoplugin";
import type { ContractFile, Event, Method, Service, Standard, Subscription } from "../contract/contract.js";
import { publishedBy } from "../contract/events/event.js";
import type { Histories } from "../contract/events/history.js";
import { upcasterExport } from "../contract/names/exports.js";
import { camelCase } from "../contract/names/names.js";
import { digits, doc, duration, fromGenerated, fromRuntime, local, member, retryLiteral, unionOf } from "./print.js";

/** Emits `_service`: the types of a service's handlers, and the function that creates the service. */
export function emitService(file: ContractFile, f: GeneratedFile, histories: Histories): void {
  for (const service of file.services) {
    f.print();
    emitHandler(service, f);
    f.print();
    emitEntities(service, f);
    f.print();
    emitPeers(service, f);
    if (publishedBy(service).length > 0) {
      f.print();
      emitPublished(service, f);
    }
    if (service.consumes.length > 0) {
      f.print();
      emitConsumers(service, f);
    }
    const upcasters = upcastersOf(service, histories);
    if (upcasters.length > 0) {
      f.print();
      emitUpcasters(service, upcasters, f);
    }
    f.print();
    emitDefinition(service, upcasters.length > 0, f);
  }
}

function emitHandler(service: Service, f: GeneratedFile): void {
  f.print(doc(f, service.desc, ["The handlers of the service. Standard methods need no code."]));
  f.print(f.export("interface", service.exports.handler), " {");
  service.methods.forEach((method, position) => {
    if (position > 0) f.print();
    f.print(doc(f, method.desc, behaviour(method), "  "));
    f.print("  ", member(method.desc.localName), signature(service, method, f), ";");
  });
  f.print("}");
}

/** Returns sentences about a method for its doc comment. */
function behaviour({
  desc,
  standard,
  timeoutMs,
  idempotencyKey,
  saga,
  replicas,
  deferred,
  publishes,
}: Method): string[] {
  return [
    ...(standard === undefined ? [] : ["Standard."]),
    ...(timeoutMs === undefined ? [] : [`Deadline: ${duration(timeoutMs)}.`]),
    ...(idempotencyKey === undefined ? [] : [`Work inside \`once\` happens once per ${idempotencyKey.name}.`]),
    ...(desc.idempotency === 1 ? ["No side effects."] : []),
    ...(saga === undefined ? [] : ["Starts a saga, inside `once`."]),
    ...(replicas ? ["Reads may use a replica."] : []),
    ...(deferred === undefined
      ? []
      : [
          `While the database is unavailable, the response has ${deferred.field.name} ${deferred.value.name}, and the write is executed later.`,
        ]),
    ...publishing(publishes),
  ];
}

function publishing(events: readonly Event[]): string[] {
  return events.length === 0 ? [] : [`Publishes ${events.map(({ desc }) => desc.name).join(", ")}.`];
}

function signature({ file }: Service, { desc, idempotencyKey, publishes }: Method, f: GeneratedFile): Printable[] {
  const input = f.importShape(desc.input);
  const init = f.import("MessageInitShape", "@bufbuild/protobuf", true);
  const message: Printable = [init, "<typeof ", f.importSchema(desc.output, true), ">"];
  const told = publishes.length === 0 ? [] : [unionOf(publishes, f)];
  const context: Printable =
    idempotencyKey === undefined
      ? [fromRuntime(f, "Context", "service", true), ...(told.length === 0 ? [] : ["<", ...told, ">"])]
      : [
          fromRuntime(f, "KeyedContext", "service", true),
          ["<typeof ", f.importSchema(desc.output, true)],
          ...told.flatMap((union) => [", ", union]),
          ">",
        ];
  const global = (name: string) => local(f, name, `${file}_service`);
  const asks = desc.methodKind === "client_streaming" || desc.methodKind === "bidi_streaming";
  const answers = desc.methodKind === "server_streaming" || desc.methodKind === "bidi_streaming";
  const request: Printable = asks ? ["requests: ", global("AsyncIterable"), "<", input, ">"] : ["request: ", input];
  return [
    "(\n    ",
    request,
    ",\n    context: ",
    context,
    ",\n  ): ",
    global(answers ? "AsyncIterable" : "Promise"),
    "<",
    message,
    ">",
  ];
}

function emitEntities(service: Service, f: GeneratedFile): void {
  f.print(
    f.jsDoc(
      `The entities that ${service.desc.name} owns, each in a table of its database.\n\n@generated from ${service.desc}`,
    ),
  );
  f.print(f.export("interface", service.exports.entities), " {");
  for (const entity of service.entities) {
    f.print(
      "  readonly ",
      entity.plural,
      ": ",
      fromGenerated(f, entity.exports.repository, entity.file, "_repository", true),
      ";",
    );
  }
  f.print("}");
}

function emitPeers(service: Service, f: GeneratedFile): void {
  f.print(f.jsDoc(`Whom ${service.desc.name} may call.\n\n@generated from ${service.desc}`));
  f.print(f.export("interface", service.exports.peers), " {");
  for (const callee of service.calls) {
    f.print(
      "  readonly ",
      camelCase(callee.name),
      ": ",
      fromGenerated(f, callee.exports.client, callee.file, "_client", true),
      ";",
    );
  }
  f.print("}");
}

function emitPublished(service: Service, f: GeneratedFile): void {
  f.print(f.jsDoc(`What ${service.desc.name} publishes.\n\n@generated from ${service.desc}`));
  f.print(f.export("type", service.exports.events), " = ", unionOf(publishedBy(service), f), ";");
}

function emitConsumers(service: Service, f: GeneratedFile): void {
  const { consumers, entities } = service.exports;
  f.print(
    f.jsDoc(
      `The event handlers of ${service.desc.name}. Work of a handler in \`tx\` happens once per event. Other work may happen\nagain: \`delivery.id\` identifies the event.\n\n@generated from ${service.desc}`,
    ),
  );
  f.print(f.export("interface", consumers), " {");
  service.consumes.forEach((subscription, position) => {
    const { publishes } = subscription;
    const { desc, handler } = subscription.event;
    if (position > 0) f.print();
    f.print(doc(f, desc, consumption(subscription), "  "));
    const delivery = fromRuntime(f, "Delivery", "service", true);
    const context = fromRuntime(f, "ConsumerContext", "service", true);
    f.print("  ", member(handler), "(");
    f.print("    delivery: ", delivery, "<typeof ", f.importSchema(desc, true), ">,");
    f.print("    context: ", context, "<", entities, publishes.length > 0 ? [", ", unionOf(publishes, f)] : "", ">,");
    f.print("  ): ", local(f, "Promise", `${service.file}_service`), "<void>;");
  });
  f.print("}");
}

/** Returns sentences about a subscription for its doc comment. */
function consumption({ event, timeoutMs, retry, parks, publishes }: Subscription): string[] {
  const tries =
    retry.maxAttempts === 1
      ? `One attempt of at most ${duration(timeoutMs)}`
      : `At most ${retry.maxAttempts} attempts of ${duration(timeoutMs)}, ${duration(retry.initialBackoffMs)} to ${duration(retry.maxBackoffMs)} apart`;
  const key =
    event.key === undefined
      ? ""
      : parks
        ? `, and later events of its ${event.key.name} wait`
        : `, and later events of its ${event.key.name} are handled`;
  return [
    event.key === undefined ? "Not ordered." : `Ordered per ${event.key.name}.`,
    `${tries}. Then the event becomes a dead letter${key}.`,
    ...publishing(publishes),
  ];
}

/** A version of an event that a consumer upcasts. */
interface ConsumedUpcast {
  readonly event: Event;
  readonly from: number;
}

function upcastersOf({ consumes }: Service, histories: Histories): ConsumedUpcast[] {
  return consumes.flatMap(({ event }) => (histories.get(event)?.upcasts ?? []).map(({ from }) => ({ event, from })));
}

function emitUpcasters({ desc, exports }: Service, upcasters: readonly ConsumedUpcast[], f: GeneratedFile): void {
  f.print(
    f.jsDoc(
      `The upcasters of ${desc.name}, for events of older versions. Each is started beside its event's versions.\n\n@generated from ${desc}`,
    ),
  );
  f.print(f.export("interface", exports.upcasters), " {");
  for (const { event, from } of upcasters) {
    const type = fromGenerated(f, upcasterExport(event.desc, from), event.file, "_events", true);
    f.print("  readonly ", `${event.handler}From${from}`, ": ", type, ";");
  }
  f.print("}");
}

function emitDefinition(service: Service, upcasts: boolean, f: GeneratedFile): void {
  const { define, handler, entities, peers, consumers, upcasters, policy } = service.exports;
  const standard = service.methods.flatMap((method) =>
    method.standard === undefined ? [] : [{ ...method, standard: method.standard }],
  );
  const keys = standard.map((method) => `"${method.desc.localName}"`).join(" | ") || "never";
  f.print(
    f.jsDoc(
      `Creates ${service.desc.name} from its handlers.\n\n    export const ${camelCase(service.name)} = ${define}({ handlers: (service, standard) => ({ … }) });\n\n@generated from ${service.desc}`,
    ),
  );
  const consumes = service.consumes.length > 0;
  const publishes = publishedBy(service);
  const sagas = service.methods.filter((method) => method.saga !== undefined);
  const types: readonly (readonly [name: string, type: Printable | undefined])[] = [
    ["handler", handler],
    ["standard", keys],
    ["entities", entities],
    ["peers", peers],
    ["consumers", consumes ? consumers : undefined],
    ["sagas", fromSagas(f, service)],
    ["upcasters", upcasts ? upcasters : undefined],
  ];
  f.print(f.export("const", define), " = ", fromRuntime(f, "defineService", "service"), "<{");
  for (const [name, type] of types) if (type !== undefined) f.print("  ", name, ": ", type, ";");
  f.print("}>({");
  f.print("  service: ", f.importSchema(service.desc), ",");
  f.print("  name: ", f.string(service.name), ",");
  f.print("  policy: ", fromGenerated(f, policy, service.file, "_policy"), ",");
  f.print("  codecs: ", fromGenerated(f, service.exports.codecs, service.file, "_codec"), ",");
  block(f, "entities", service.entities, (entity) => [
    entity.plural,
    ": { entity: ",
    fromGenerated(f, entity.exports.entity, entity.file, "_repository"),
    ...(entity.cache === undefined ? [] : [", cache: ", fromGenerated(f, entity.exports.cache, entity.file, "_cache")]),
    " }",
  ]);
  block(f, "peers", service.calls, (callee) => [
    camelCase(callee.name),
    ": { name: ",
    f.string(callee.name),
    ", connect: ",
    fromGenerated(f, callee.exports.connect, callee.file, "_client"),
    " }",
  ]);
  if (sagas.length > 0) {
    block(f, "sagas", sagas, ({ desc, saga }) => [
      desc.localName,
      ": ",
      fromGenerated(f, saga?.exports.spec ?? "", service.file, "_saga"),
    ]);
  }
  block(f, "standard", standard, (method) => [method.desc.localName, ": ", literal(method.standard)]);
  if (publishes.length > 0) {
    f.print("  publishes: [");
    for (const event of publishes) {
      const groups = event.consumers.map(({ name }) => f.string(name));
      const list = groups.flatMap((group, position) => (position === 0 ? [group] : [", ", group]));
      const imported = fromGenerated(f, event.exports.event, event.file, "_events");
      f.print("    { event: ", imported, ", groups: [", list, "] },");
    }
    f.print("  ],");
  }
  if (consumes) block(f, "consumes", service.consumes, (subscription) => [subscriptionLiteral(subscription, f)]);
  f.print("});");
}

function subscriptionLiteral(subscription: Subscription, f: GeneratedFile): Printable[] {
  const { event, concurrency, batch, timeoutMs, parks } = subscription;
  return [
    member(event.handler),
    ": {\n      event: ",
    fromGenerated(f, event.exports.event, event.file, "_events"),
    `,\n      concurrency: ${concurrency},\n      batch: ${digits(batch)},\n      timeoutMs: ${digits(timeoutMs)},`,
    `\n      retry: ${retryLiteral(subscription.retry)},\n      deadLetter: "${parks ? "park" : "skip"}",\n    }`,
  ];
}

/** Returns the type of the service's sagas, or undefined if no method starts one. */
function fromSagas(f: GeneratedFile, { methods, exports, file }: Service): Printable | undefined {
  return methods.some(({ saga }) => saga !== undefined)
    ? fromGenerated(f, exports.sagas, file, "_saga", true)
    : undefined;
}

function block<T>(f: GeneratedFile, name: string, items: readonly T[], line: (item: T) => Printable[]): void {
  f.print("  ", name, ": {", items.length === 0 ? "}," : "");
  for (const item of items) f.print("    ", line(item), ",");
  if (items.length > 0) f.print("  },");
}

function literal(standard: Standard): string {
  const { kind, entity } = standard;
  const start = `{ kind: "${kind}", entity: "${entity.plural}"`;
  switch (kind) {
    case "get":
    case "undelete":
      return `${start}, key: "${standard.key.localName}" }`;
    case "delete":
      return `${start}, key: "${standard.key.localName}"${standard.answers ? ", answers: true" : ""} }`;
    case "list":
      return `${start}, items: "${standard.items.localName}" }`;
    case "batchGet":
      return `${start}, keys: "${standard.keys.localName}", items: "${standard.items.localName}" }`;
    case "create":
      return `${start}, resource: "${standard.resource.localName}" }`;
    case "update":
      return `${start}, resource: "${standard.resource.localName}", mask: "${standard.mask.localName}" }`;
  }
}
