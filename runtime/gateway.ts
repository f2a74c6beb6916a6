/** Runs gateways. */
export { type ServeGatewayOptions, serveGateway } from "./gateway/serve.js";
