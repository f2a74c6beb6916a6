/** Runs services, and says what their handlers are given. */
export type { Context, KeyedContext } from "./rpc/context.js";
export { type ServeOptions, serve } from "./rpc/serve.js";
export type { ServiceDefinition } from "./rpc/service.js";
