import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { runningDatabases } from "../dev/databases.js";
import type { Settings } from "../project/settings.js";

/** A service that owns data. */
export interface ServiceDatabase {
  readonly service: string;
  readonly url: string;
  /** Its folder of migrations, relative to the project's root. */
  readonly path: string;
  readonly directory: URL;
}

export interface DatabaseChoice {
  /** Default: every service that has migrations. */
  readonly service?: string;
  /** The URL of its database. Default: the one in the project's running system. */
  readonly url?: string;
}

/** Returns the databases of a command. Throws, with advice, if they are ambiguous or none runs. */
export async function chooseDatabases(
  settings: Pick<Settings, "root" | "services">,
  { service, url }: DatabaseChoice,
): Promise<ServiceDatabase[]> {
  const services = await servicesWithMigrations(settings);
  if (service !== undefined && !services.includes(service)) {
    throw new Error(`${service} has no migrations; these have: ${services.join(", ") || "none"}`);
  }
  const chosen = service === undefined ? services : [service];
  const urlOf = url === undefined ? await runningUrls(settings.root) : fixedUrl(url, chosen);
  return chosen.map((name) => {
    const path = `${settings.services}/${name}/migrations`;
    return { service: name, url: urlOf(name), path, directory: pathToFileURL(`${join(settings.root, path)}/`) };
  });
}

async function servicesWithMigrations({ root, services }: Pick<Settings, "root" | "services">): Promise<string[]> {
  const folders = await readdir(join(root, services)).catch(() => []);
  const files = await Promise.all(
    folders.map((folder) => readdir(join(root, services, folder, "migrations")).catch(() => [])),
  );
  return folders.filter((_, i) => files[i]?.some((name) => name.endsWith(".sql"))).sort();
}

function fixedUrl(url: string, services: readonly string[]): () => string {
  if (!/^postgres(ql)?:\/\//.test(url)) {
    throw new Error(`--url is a database's address, postgres://user:password@host:5432/orders; this is ${url}`);
  }
  if (services.length > 1) {
    throw new Error(`Each service has a database of its own; say whose that is: ${services.join(", ")}`);
  }
  return () => url;
}

async function runningUrls(root: string): Promise<(database: string) => string> {
  const urlOf = await runningDatabases(root);
  if (urlOf !== undefined) return urlOf;
  throw new Error("No database runs in this project. Start the system with scaffold dev, or give --url");
}
