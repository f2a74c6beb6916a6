/** What `scaffold migrate` stands on. Internal: versioned with the tool. */
export {
  type MigrateOptions,
  type MigrationStatus,
  migrationStatus,
} from "../../data/migrations/migrate.js";
export { migrate, verifyMigrated } from "../../service/migrations.js";
