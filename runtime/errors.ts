/** The reasons of the runtime's errors. */
export type { Reason } from "./errors/catalogue.js";
export { reasonOf } from "./errors/error.js";
