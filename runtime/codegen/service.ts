/** For `_service` files: services, and what their handlers are given. Internal: versioned with the tool. */

export type { Context, KeyedContext } from "../call/context.js";
export type { ConsumerContext, Delivery } from "../events/delivery.js";
export { defineService } from "../service/define.js";
