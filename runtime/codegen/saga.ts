/** For `_saga` files: steps over several services. Internal: versioned with the tool. */
export type { SagaEnds, SagaSpec, SagaStep } from "../saga/saga.js";
