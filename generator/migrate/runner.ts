/**
 * What applies migrations: the very code with which services migrate themselves, so that there is one idea of a ledger.
 * Loaded only by the commands that need a database.
 */
export const loadRunner = () => import("@protoscaffold/runtime/codegen/tool/migrations");
