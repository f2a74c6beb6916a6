/** Calls services from Node.js: the types of generated clients. */
export type { ClientOptions, ServiceClient } from "./rpc/client.js";
