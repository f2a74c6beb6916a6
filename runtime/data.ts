/** Reads and writes a service's own tables, and migrates them. */
export type { MigrateOptions } from "./data/migrations/migrate.js";
export type {
  Page,
  PageRequest,
  Precondition,
  Repository,
  SoftRepository,
  TransactionRepository,
} from "./data/rows/repository.js";
export type { Publisher, Transaction } from "./data/transaction.js";
export { migrate } from "./service/migrations.js";
