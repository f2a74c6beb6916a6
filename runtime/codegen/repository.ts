/** For `_repository` files: entities, and how their rows are read and written. Internal: versioned with the tool. */

export type { Repository, SoftRepository } from "../data/rows/repository.js";
export type { Entity } from "../spec/entity.js";
