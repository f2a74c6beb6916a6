import type { DescService } from "@bufbuild/protobuf";
import type { CachePolicy } from "../cache/policy.js";
import type { ServicePolicy } from "../call/policy.js";
import type { Codec } from "../codec/codec.js";
import { know } from "../codec/known.js";
import type { Data } from "../data/data.js";
import type { Entity } from "../data/entity.js";
import type { StandardMethod } from "../data/standard.js";
import type { SagaDefinition, SagaHandles, SagaSpec } from "../saga/saga.js";
import type { ClientOptions } from "./client.js";

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
  /** What its author says of the sagas that its methods start, by method. */
  readonly sagas: Readonly<Record<string, SagaDefinition>>;
}

/** Everything that handlers of one service may use: its entities, the services that it calls, its transactions, its sagas. */
export type Resources<Entities, Peers, Sagas = object> = Entities &
  Peers &
  Pick<Data<Entities>, "transaction" | "once" | "undo"> & { readonly sagas: SagaHandles<Sagas> };

/** What a user writes: every method but the standard ones, and any of those to replace it. */
export type Handlers<Handler, Standard extends keyof Handler> = Omit<Handler, Standard> &
  Partial<Pick<Handler, Standard>>;

/**
 * Makes the function with which a service is written:
 *
 *     export const orders = orderService((service, standard) => ({ async placeOrder(request, context) { … } }));
 *
 * A service whose methods start sagas is given what these do beside its handlers: `orderService(…, { placeOrder })`.
 */
export function defineService<Handler extends object, Standard extends keyof Handler, Entities, Peers, Sagas = object>(
  spec: ServiceSpec,
) {
  know(spec.codecs);
  return (
    implement: (
      service: Resources<Entities, Peers, Sagas>,
      standard: Pick<Handler, Standard>,
    ) => Handlers<Handler, Standard>,
    ...[sagas]: keyof Sagas extends never ? [] : [sagas: Sagas]
  ): ServiceDefinition => ({
    spec,
    implement: implement as ServiceDefinition["implement"],
    sagas: (sagas ?? {}) as ServiceDefinition["sagas"],
  });
}
