/** Goes through several services: what sagas and their steps are. */
export type { SagaEnds, SagaHandle, SagaState, SagaStep, SagaTransaction } from "./saga/saga.js";
