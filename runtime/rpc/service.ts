import type { DescMessage, DescService } from "@bufbuild/protobuf";
import type { CachePolicy } from "../cache/policy.js";
import type { ServicePolicy } from "../call/policy.js";
import type { Codec } from "../codec/codec.js";
import { know } from "../codec/known.js";
import type { Data } from "../data/data.js";
import type { Entity } from "../data/entity.js";
import type { StandardMethod } from "../data/standard.js";
import type { Transaction } from "../data/transaction.js";
import type { EventType, SubscriptionSpec } from "../events/event.js";
import type { SagaDefinition, SagaHandles, SagaSpec } from "../saga/saga.js";
import type { ClientOptions } from "./client.js";
import type { Context } from "./context.js";

/** An entity of a service, and how its rows are cached; without a policy they are not. */
export interface OwnedEntity {
  readonly entity: Entity;
  readonly cache?: CachePolicy;
}

/** What a contract says of one service: all that the runtime needs to run it, less its handwritten methods. */
export interface ServiceSpec {
  readonly service: DescService;
  /** The service's short name, "orders": names its database, its logs and its address variable. */
  readonly name: string;
  readonly policy: ServicePolicy;
  /** The codecs of the messages that it takes, answers and owns; others are read by their descriptors. */
  readonly codecs: readonly Codec[];
  /** What it owns, by the names that its handlers use. */
  readonly entities: Readonly<Record<string, OwnedEntity>>;
  /** How clients of the services that it calls are made, by the names that its handlers use. */
  readonly peers: Readonly<Record<string, Peer>>;
  /** The sagas that its methods start, by method. Absent: none. */
  readonly sagas?: Readonly<Record<string, SagaSpec>>;
  /** The methods that need no handwritten code. */
  readonly standard: Readonly<Record<string, StandardMethod>>;
  /** What it publishes, and the groups that are known to consume that. Default: nothing. */
  readonly publishes?: readonly { readonly event: EventType; readonly groups: readonly string[] }[];
  /** What it consumes, by the names of its handlers. Default: nothing. */
  readonly consumes?: Readonly<Record<string, SubscriptionSpec>>;
}

/** Whether a service publishes or consumes events. */
export function hasEvents({ publishes, consumes }: ServiceSpec): boolean {
  return publishes !== undefined || consumes !== undefined;
}

/** Whether a service has a database: for its entities, or for what it publishes and consumes. */
export function hasDatabase(spec: ServiceSpec): boolean {
  return Object.keys(spec.entities).length > 0 || hasEvents(spec);
}

/** A service that may be called. */
export interface Peer {
  /** Its short name: "inventory" is found at INVENTORY_URL. */
  readonly name: string;
  connect(options: ClientOptions): unknown;
}

/** A service with its handlers: what `serve` runs. */
export interface ServiceDefinition {
  readonly spec: ServiceSpec;
  /** The handlers, by method, over what they may use. */
  implement(service: object, standard: object): object;
  /** What it does with the events that it consumes, over what it may use. */
  consume?(service: object): object;
  /** What it says of events that were published in other words, by handler and version: `orderPlacedFrom1`. Absent: none. */
  readonly upcasters?: Readonly<Record<string, (old: never) => object>>;
  /** What its author says of the sagas that its methods start, by method. */
  readonly sagas: Readonly<Record<string, SagaDefinition>>;
}

/** Everything that handlers of one service may use: its entities, the services that it calls, its transactions, its sagas. */
export type Resources<Entities, Peers, Sagas = object> = Entities &
  Peers &
  Transactions<Entities> & { readonly sagas: SagaHandles<Sagas> };

/** How handlers write. What may be published in a transaction is what the method of its context publishes. */
export interface Transactions<Entities> extends Pick<Data<Entities>, "once" | "undo"> {
  /** As `Data.transaction`; events that it publishes go on with the trace of the call that the context belongs to. */
  transaction<T, Published extends DescMessage = never>(
    context: Context<Published>,
    body: (tx: Transaction<Entities, Published>) => Promise<T>,
  ): Promise<T>;
  /** As `Data.transaction`, of no call: it publishes nothing. */
  transaction<T>(body: (tx: Transaction<Entities>) => Promise<T>): Promise<T>;
}

/** What a user writes: every method but the standard ones, and any of those to replace it. */
export type Handlers<Handler, Standard extends keyof Handler> = Omit<Handler, Standard> &
  Partial<Pick<Handler, Standard>>;

/** The function that says what a service does with the events that it consumes; there is none if it consumes nothing. */
type Consume<Service, Consumers> = [Consumers] extends [never] ? [] : [consume: (service: Service) => Consumers];

/** What is given by name; nothing, if there are no names. */
type Named<T> = keyof T extends never ? [] : [named: T];

/**
 * Makes the function with which a service is written:
 *
 *     export const orders = orderService((service, standard) => ({ async placeOrder(request, context) { … } }));
 *
 * A service that consumes events says in a second function what it does with them:
 *
 *     export const letters = letterService(
 *       (service, standard) => ({ … }),
 *       (service) => ({ async orderPlaced(delivery, { tx }) { … } }),
 *     );
 *
 * A service that consumes events which were published in other words says then what they mean: `letterService(…, …,
 * { orderPlacedFrom1 })`. One whose methods start sagas is given what these do at the end: `orderService(…, { placeOrder })`.
 */
export function defineService<
  Handler extends object,
  Standard extends keyof Handler,
  Entities,
  Peers,
  Consumers extends object = never,
  Sagas = object,
  Upcasters extends object = object,
>(spec: ServiceSpec) {
  know(spec.codecs);
  const hasUpcasts = Object.values(spec.consumes ?? {}).some(({ event }) => (event.upcasts ?? []).length > 0);
  type Service = Resources<Entities, Peers, Sagas>;
  return (
    implement: (service: Service, standard: Pick<Handler, Standard>) => Handlers<Handler, Standard>,
    ...parts: [...Consume<Service, Consumers>, ...Named<Upcasters>, ...Named<Sagas>]
  ): ServiceDefinition => {
    // The one is a function, the others are not.
    const [first, second] = parts.filter((part) => typeof part === "object");
    const [upcasters, sagas] = hasUpcasts ? [first, second] : [undefined, first];
    return {
      spec,
      implement: implement as ServiceDefinition["implement"],
      consume: parts.find((part) => typeof part === "function") as ServiceDefinition["consume"],
      upcasters: (upcasters ?? {}) as ServiceDefinition["upcasters"],
      sagas: (sagas ?? {}) as ServiceDefinition["sagas"],
    };
  };
}
