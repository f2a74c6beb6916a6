/** Calls services from Node.js: the types of generated clients, their connections and interceptors, and how a call failed. */
export { type Failure, failureOf } from "./call/failure.js";
export type { ClientOptions, ServiceClient } from "./client/client.js";
export { Connections, type ConnectionsOptions } from "./client/connections.js";
export type { CallChanges, ClientStage, OutgoingCall, Send } from "./client/outgoing-call.js";
