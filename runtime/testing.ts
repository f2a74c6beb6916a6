/** Runs a service inside a test, over real parts, and checks old events. */
export { corpusFaults } from "./events/corpus.js";
export { type InMemoryOptions, type InMemoryService, inMemory } from "./service/in-memory.js";
