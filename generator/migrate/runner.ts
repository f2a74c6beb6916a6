/**
 * Applies migrations with the code with which services migrate themselves. Loaded only by the commands that need a
 * database.
 */
export const loadRunner = () => import("@protoscaffold/runtime/codegen/tool/migrations");
