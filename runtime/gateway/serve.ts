import { renamedTransport } from "../config/transport.js";
import { createLogger, type Logger } from "../observe/log.js";
import { live } from "../server/process.js";
import type { System } from "../spec/system.js";
import { readGatewayEnvironment } from "./environment.js";
import { startGateway } from "./start.js";

/** How a gateway is run. */
export interface ServeGatewayOptions {
  /** A folder of static files to serve at `/`. Default: none. */
  readonly web?: URL;
  /** Default: the process's environment. */
  readonly env?: NodeJS.ProcessEnv;
}

/**
 * Runs the gateway of a system as this process until it is told to stop: REST by google.api.http, and gRPC, gRPC-Web and
 * Connect calls passed on to the services, on one port. Its configuration is the environment, as the reference of
 * environment variables has it (docs/reference/environment.md). A process whose environment is invalid names every fault and
 * ends.
 */
export async function serveGateway(system: System, options: ServeGatewayOptions = {}): Promise<void> {
  let log: Logger | undefined;
  await live(
    () => log,
    () => {
      const { env = process.env } = options;
      const environment = readGatewayEnvironment(system, env);
      log = createLogger({ name: "gateway", level: environment.LOG_LEVEL });
      const renamed = renamedTransport(env);
      if (renamed !== undefined) log.warn(renamed);
      return startGateway(system, environment, log, options.web);
    },
  );
}
