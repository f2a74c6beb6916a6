/** For `_routes` files: methods over HTTP. Internal: versioned with the tool. */
export type { Route } from "../spec/route.js";
