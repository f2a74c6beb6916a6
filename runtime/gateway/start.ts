import { Connections } from "../client/connections.js";
import { Hosts } from "../config/hosts.js";
import { serverTls } from "../config/tls.js";
import { connectionsOf } from "../config/transport.js";
import type { Logger } from "../observe/log.js";
import type { WatchLimits } from "../server/connection-watch.js";
import { Health } from "../server/health.js";
import { listen } from "../server/listen.js";
import type { Running } from "../server/process.js";
import { addressVariable, type System } from "../spec/system.js";
import { createApp } from "./app.js";
import type { BodyLimits } from "./body-guard.js";
import type { GatewayEnvironment } from "./environment.js";
import { StaticFiles } from "./static.js";
import { Upstream } from "./upstream.js";

/** A running gateway. */
export interface RunningGateway extends Running {
  readonly host: string;
  readonly port: number;
}

/** The limits for callers of a gateway. */
export interface GatewayLimits {
  readonly bodyLimits?: BodyLimits;
  readonly watchLimits?: WatchLimits;
}

/** Starts a gateway. Services may start later: until then, their calls fail with UNAVAILABLE. */
export async function startGateway(
  system: System,
  environment: GatewayEnvironment,
  log: Logger,
  web?: URL,
  limits: GatewayLimits = {},
): Promise<RunningGateway> {
  const files = web && (await StaticFiles.load(web, { sourceMaps: environment.SOURCE_MAPS }));
  // Without pings, calls to a peer that has vanished would wait until TCP times out.
  const connections = new Connections({ ...connectionsOf(environment), pingIntervalMs: 10_000 });
  const upstreams = new Map<string, Upstream>();
  for (const { name, service } of system.services) {
    // Several gRPC services may be served by one process.
    if (upstreams.has(name)) continue;
    const address = environment.addresses[addressVariable(name)]!;
    upstreams.set(name, new Upstream(service.typeName, address, connections));
  }
  const tls = serverTls(environment);
  const health = new Health();
  const draining = new AbortController();
  const { bodyLimits, watchLimits } = limits;
  const hosts = Hosts.of(environment.HOST, environment.ALLOWED_HOSTS);
  const app = await createApp({
    system,
    upstreams,
    health,
    files,
    log,
    tls,
    hosts,
    bodyLimits,
    draining: draining.signal,
  });
  const { host, port, drain } = await listen({
    http1Server: app.server,
    http2: (request, response) => app.routing(request as never, response as never),
    tls,
    host: environment.HOST,
    port: environment.PORT,
    log,
    hosts,
    watchLimits,
  });
  log.info({ host, port }, "listening");
  return {
    host,
    port,
    async stop() {
      health.shutdown();
      draining.abort();
      await drain(environment.DRAIN_TIMEOUT_MS);
      connections.close();
      await app.close();
    },
  };
}
