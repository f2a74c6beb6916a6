/** For `_policy` files: how methods behave. Internal: versioned with the tool. */
export type { ServicePolicy } from "../spec/policy.js";
