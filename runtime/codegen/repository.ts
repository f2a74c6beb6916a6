/** For `_repository` files: entities, and how their rows are read and written. Internal: versioned with the tool. */
export type { Entity } from "../data/entity.js";
export type { Repository, SoftRepository } from "../data/repository.js";
