import { runningDatabases } from "../../dev/databases.js";

/**
 * Returns the databases of some services: those of the running system, or the one at `--url`. Throws, with advice, if they are
 * ambiguous or none runs.
 *
 * @param narrow the option that selects one of several services
 */
export async function eventDatabases(
  root: string,
  url: string | undefined,
  services: readonly string[],
  narrow: string,
): Promise<(service: string) => string> {
  if (url === undefined) {
    const urlOf = await runningDatabases(root);
    if (urlOf !== undefined) return urlOf;
    throw new Error("No database runs in this project. Start the system with scaffold dev, or give --url");
  }
  if (!/^postgres(ql)?:\/\//.test(url)) {
    throw new Error(`--url is a database's address, postgres://user:password@host:5432/orders; this is ${url}`);
  }
  if (services.length > 1) {
    throw new Error(`Each service has a database of its own; say by ${narrow} whose that is: ${services.join(", ")}`);
  }
  return () => url;
}

/** Returns the broker's URL: BROKER_URL, or the running system's. Undefined: there is neither. */
export async function brokerUrl(root: string): Promise<string | undefined> {
  return process.env.BROKER_URL || (await runningDatabases(root))?.("broker");
}
