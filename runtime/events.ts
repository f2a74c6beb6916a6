/** Handles events. */
export { type ConsumerContext, type Delivery, Unprocessable } from "./events/delivery.js";
export type { Upcaster } from "./events/evolution.js";
export type { EventType } from "./spec/event.js";
