import { findRoot, readSettings, type Settings } from "../project/settings.js";

/** The settings of the project that the command was called in. */
export async function project(): Promise<Settings> {
  return readSettings(await findRoot(process.cwd()));
}
