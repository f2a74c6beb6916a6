/** Runs services, and says what their handlers are given. */
export type { Context, KeyedContext } from "./call/context.js";
export type { ServiceDefinition } from "./service/define.js";
export { type ServeOptions, serve } from "./service/serve.js";
