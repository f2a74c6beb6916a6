/** For `system.ts`: which services there are. Internal: versioned with the tool. */
export type { System } from "../spec/system.js";
