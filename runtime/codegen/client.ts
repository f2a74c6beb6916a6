/** For `_client` files: clients in Node.js. Internal: versioned with the tool. */
export { type ClientOptions, createServiceClient, type ServiceClient } from "../client/client.js";
