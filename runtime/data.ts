/** Reads and writes a service's own tables, and migrates them. */
export { type MigrateOptions, migrate } from "./data/migrate.js";
export type {
  Page,
  PageRequest,
  Precondition,
  Repository,
  SoftRepository,
  TransactionRepository,
} from "./data/repository.js";
export type { Publisher, Transaction } from "./data/transaction.js";
