/** For `_saga` files: steps over several services. Internal: versioned with the tool. */

export type { SagaEnds, SagaStep } from "../saga/saga.js";
export type { SagaSpec } from "../spec/saga.js";
