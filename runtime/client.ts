/** Calls services from Node.js: the types of generated clients, interceptors, and how a call failed. */
export { type Failure, failureOf } from "./call/failure.js";
export type { ClientOptions, ServiceClient } from "./client/client.js";
export type { CallChanges, ClientStage, OutgoingCall, Send } from "./client/outgoing-call.js";
