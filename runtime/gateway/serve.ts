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
 * Connect calls passed on to the services, on one port. Configuration is the environment; all that is wrong with it is
 * said at once.
 *
 *     PORT              where it listens; 0 lets the system choose
 *     HOST              which address it listens on; default 127.0.0.1
 *     ALLOWED_HOSTS     names by which callers may ask for it beside localhost, between commas, where HOST is a loopback address
 *     <NAME>_URL        where each service of the system is: ORDERS_URL; with TLS where it is an https:// one
 *     TLS_CERT_FILE     its certificate (PEM), with which the port speaks TLS; shown to the services, too
 *     TLS_KEY_FILE      the key of that
 *     TLS_CLIENT_CA_FILE  who vouches for callers (PEM), who must show a certificate then
 *     TLS_CA_FILE       who vouches for the services (PEM); default: those whom Node.js knows
 *     SOURCE_MAPS       on: the source maps of its static files are served, too, for whoever develops them; default off
 *     RPC_TRANSPORT     what carries its calls for REST: native, or node for connect-node over node:http2; default native
 *     RPC_COMPRESSION   gzip: its calls for REST send long messages compressed, and ask for them; default off
 *     LOG_LEVEL         trace, debug, info, warn, error, fatal or silent; default info
 *     DRAIN_TIMEOUT_MS  how long calls in flight may take at the end, in milliseconds; default 10000
 */
export async function serveGateway(system: System, options: ServeGatewayOptions = {}): Promise<void> {
  let log: Logger | undefined;
  await live(
    () => log,
    () => {
      const environment = readGatewayEnvironment(system, options.env);
      log = createLogger({ name: "gateway", level: environment.LOG_LEVEL });
      const renamed = renamedTransport(options.env ?? process.env);
      if (renamed !== undefined) log.warn(renamed);
      return startGateway(system, environment, log, options.web);
    },
  );
}
