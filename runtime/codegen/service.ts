/** For `_service` files: services, and what their handlers are given. Internal: versioned with the tool. */
export type { ConsumerContext, Delivery } from "../events/delivery.js";
export type { Context, KeyedContext } from "../rpc/context.js";
export { defineService } from "../rpc/service.js";
