/** For `_events` files: events, and what old ones mean. Internal: versioned with the tool. */

export type { Upcaster } from "../events/evolution.js";
export { defineEvent } from "../spec/event.js";
