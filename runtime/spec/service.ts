import type { DescService } from "@bufbuild/protobuf";
import type { Transport } from "@connectrpc/connect";
import type { Codec } from "../codec/codec.js";
import type { CachePolicy } from "./cache.js";
import type { Entity } from "./entity.js";
import type { EventType, SubscriptionSpec } from "./event.js";
import type { ServicePolicy } from "./policy.js";
import type { SagaSpec } from "./saga.js";
import type { StandardMethod } from "./standard.js";

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

/** Where a called service is. */
export interface PeerAddress {
  /** `http://127.0.0.1:8081`. */
  readonly baseUrl?: string;
  /** Used instead of `baseUrl`. */
  readonly transport?: Transport;
  /** The connections of the process, for calls to `baseUrl`. */
  readonly connections?: PeerConnections;
}

/** Connects to services: a `Connections` of client/. */
export interface PeerConnections {
  carrierTo(baseUrl: string): unknown;
}

/** A service that may be called. */
export interface Peer {
  /** Its short name: "inventory" is found at INVENTORY_URL. */
  readonly name: string;
  /** Makes a client of it. */
  connect(address: PeerAddress): unknown;
}
