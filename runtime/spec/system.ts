import type { DescService } from "@bufbuild/protobuf";
import type { Codec } from "../codec/codec.js";
import type { EventType } from "./event.js";
import type { ServicePolicy } from "./policy.js";
import type { Route } from "./route.js";

/** One service of a system, as its contract describes it. */
export interface SystemService {
  /** Its short name, "orders" for shop.orders.v1.OrderService: names its folder, its process and its database. */
  readonly name: string;
  readonly service: DescService;
  readonly policy: ServicePolicy;
  /** The codecs of what its methods take and answer. Default: none, and messages are read by their descriptors. */
  readonly codecs?: readonly Codec[];
  /** Its HTTP face. */
  readonly routes: readonly Route[];
  /** The short names of the services it may call. */
  readonly calls: readonly string[];
  /** The tables in its database. None: it needs no database. */
  readonly tables: readonly string[];
  /** The events that it publishes. Default: none. */
  readonly publishes?: readonly EventType[];
  /** The events that it consumes. Default: none. */
  readonly consumes?: readonly EventType[];
}

/** All services that one contract describes. */
export interface System {
  readonly services: readonly SystemService[];
}

/** The environment variable that holds a service's address: "orders" -> `ORDERS_URL`. */
export function addressVariable(name: string): string {
  return `${name.replaceAll("-", "_").toUpperCase()}_URL`;
}
