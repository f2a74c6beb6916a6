/** Calls services from Node.js: the types of generated clients. */
export type { ClientOptions, ServiceClient } from "./client/client.js";
