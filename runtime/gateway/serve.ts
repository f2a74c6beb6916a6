import { renamedTransport } from "../config/transport.js";
import { createLogger, type Logger } from "../observe/log.js";
import { live } from "../server/process.js";
import type { System } from "../spec/system.js";
import { readGatewayEnvironment } from "./environment.js";
import { startGateway } from "./start.js";

/** The options of `serveGateway`. */
export interface ServeGatewayOptions {
  /** A folder of static files that are served at `/`. Default: none. */
  readonly web?: URL;
  /** Default: the process's environment. */
  readonly env?: NodeJS.ProcessEnv;
}

/**
 * Runs the gateway of a system as this process until a signal stops it. On one port, it serves REST by google.api.http, and
 * forwards gRPC, gRPC-Web and Connect calls to the services. It is configured by environment variables, which
 * docs/reference/environment.md lists. If the environment is invalid, the process prints every fault and exits.
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
