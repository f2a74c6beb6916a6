import type { TlsOptions } from "node:tls";
import type { Hosts } from "../config/hosts.js";
import type { RpcTransport } from "../config/transport.js";
import { errorFor } from "../errors/error.js";
import type { Logger } from "../observe/log.js";
import { Health as HealthService } from "../options/grpc/health/v1/health_pb.js";
import { createServerAdapter } from "../server/adapter.js";
import { healthRoutes } from "../server/health.js";
import { listen } from "../server/listen.js";
import { reflectionRoutes } from "../server/reflection.js";
import type { ServiceDefinition } from "./define.js";
import { healthPages } from "./readiness.js";
import type { AssembledService, Front } from "./start.js";

/** How long before its end a drain ends what is still running, so that callers are told instead of cut off. */
const LAST_WORDS_MS = 500;

export interface PortOptions {
  readonly host: string;
  /** 0 lets the system choose a free one. */
  readonly port: number;
  /** Which hosts may be asked for. Undefined: any. */
  readonly hosts: Hosts | undefined;
  /** Undefined: without TLS. */
  readonly tls: TlsOptions | undefined;
  readonly transport: RpcTransport;
  /** The shortest response that is compressed for callers who accept it, in bytes. */
  readonly compressMinBytes: number;
  readonly log: Logger;
}

/** A port that takes calls. */
export interface Port extends Front {
  readonly host: string;
  /** The port itself, also when 0 was asked for. */
  readonly port: number;
}

/** Serves gRPC, gRPC-Web and Connect on one port, with health, reflection and metrics. */
export async function openPort(
  { routes, health, metrics }: AssembledService,
  definitions: readonly ServiceDefinition[],
  { host, port, hosts, tls, transport, compressMinBytes, log }: PortOptions,
): Promise<Port> {
  const expired = new AbortController();
  const handlers = createServerAdapter({
    routes(router) {
      routes(router);
      healthRoutes(health)(router);
      reflectionRoutes([...definitions.map(({ spec }) => spec.service), HealthService])(router);
    },
    // As over REST: a field that nobody knows is most often misspelled.
    jsonOptions: { ignoreUnknownFields: false },
    shutdownSignal: expired.signal,
    transport,
    hosts,
    compressMinBytes,
    pages: {
      "/metrics": metrics,
      ...healthPages(health),
    },
  });
  const listener = await listen({ ...handlers, tls, host, hosts, port, log });
  return {
    host: listener.host,
    port: listener.port,
    async drain(timeoutMs) {
      const late = setTimeout(
        () => expired.abort(errorFor("SERVER_DRAINING", "the server is shutting down")),
        Math.max(0, timeoutMs - LAST_WORDS_MS),
      );
      await listener.drain(timeoutMs);
      clearTimeout(late);
    },
  };
}
