/** For `_events` files: events, and what old ones mean. Internal: versioned with the tool. */
export { defineEvent } from "../events/event.js";
export type { Upcaster } from "../events/evolution.js";
