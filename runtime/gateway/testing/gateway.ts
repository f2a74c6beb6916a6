import { once } from "node:events";
import { createServer } from "node:http2";
import type { AddressInfo, Socket } from "node:net";
import type { ConnectRouter } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import type { TlsEnvironment } from "../../config/tls.js";
import { createLogger } from "../../observe/log.js";
import { addressVariable } from "../../spec/system.js";
import { readGatewayEnvironment } from "../environment.js";
import { type GatewayLimits, type RunningGateway, startGateway } from "../start.js";
import { system } from "./system.js";

/** A running service. */
export interface TestService {
  readonly url: string;
  readonly port: number;
  /** Stops listening and destroys all connections, as if the process had been killed. */
  kill(): void;
}

/** Starts a service with its own server: gRPC, gRPC-Web and Connect over HTTP/2. */
export async function startService(routes: (router: ConnectRouter) => void, port = 0): Promise<TestService> {
  const server = createServer(connectNodeAdapter({ routes, acceptCompression: [] }));
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => sockets.add(socket));
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  const { port: listening } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${listening}`,
    port: listening,
    kill() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** A gateway whose services have one server. */
export interface TestGateway extends RunningGateway {
  readonly url: string;
  /** The server of all services. A test may kill it, and start another one at the same port. */
  service: TestService;
  readonly serviceRoutes: (router: ConnectRouter) => void;
}

export interface TestGatewayOptions {
  readonly web?: URL;
  readonly drainTimeoutMs?: number;
  readonly limits?: GatewayLimits;
  readonly allowedHosts?: readonly string[];
  readonly tls?: TlsEnvironment;
}

/** Starts a gateway whose services have one address. */
export function startGatewayTo(url: string, options: TestGatewayOptions = {}): Promise<RunningGateway> {
  const environment = readGatewayEnvironment(system, {
    PORT: "0",
    ALLOWED_HOSTS: options.allowedHosts?.join(),
    DRAIN_TIMEOUT_MS: String(options.drainTimeoutMs ?? 100),
    ...Object.fromEntries(system.services.map(({ name }) => [addressVariable(name), url])),
  });
  return startGateway(
    system,
    { ...environment, ...options.tls },
    createLogger({ name: "gateway", level: "silent" }),
    options.web,
    options.limits,
  );
}

/** Starts a gateway, and one server for all of its services. */
export async function startTestGateway(
  serviceRoutes: (router: ConnectRouter) => void,
  options?: TestGatewayOptions,
): Promise<TestGateway> {
  const service = await startService(serviceRoutes);
  const running = await startGatewayTo(service.url, options);
  const gateway: TestGateway = {
    ...running,
    url: `http://127.0.0.1:${running.port}`,
    service,
    serviceRoutes,
    async stop() {
      await running.stop();
      gateway.service.kill();
    },
  };
  return gateway;
}
