import { findRoot, readSettings, type Settings } from "../project/settings.js";

/** Reads the settings of the project in the working directory. */
export async function project(): Promise<Settings> {
  return readSettings(await findRoot(process.cwd()));
}
