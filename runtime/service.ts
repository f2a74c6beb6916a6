/** Runs services, and says what their handlers are given. */
export type { Caller } from "./call/caller.js";
export type { Context, KeyedContext } from "./call/context.js";
export type { Handle, IncomingCall, ServerStage } from "./call/incoming-call.js";
export type { TraceContext } from "./call/trace-context.js";
export type { ServiceDefinition } from "./service/define.js";
export { type ServeOptions, serve } from "./service/serve.js";
