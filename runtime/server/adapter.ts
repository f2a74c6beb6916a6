import { setMaxListeners } from "node:events";
import type { RequestListener } from "node:http";
import { Code, type ConnectError, type ConnectRouter, type ConnectRouterOptions } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import type { Hosts } from "../config/hosts.js";
import type { RpcTransport } from "../config/transport.js";
import { compressions } from "../connect/compressions.js";
import { COMPRESS_MIN_BYTES } from "../grpc/gzip.js";
import { MAX_REQUEST_BYTES } from "../grpc/route.js";
import { defaultLimits, type Limits } from "../http2/limits.js";
import { GrpcServer } from "./native-http2.js";
import { type Http2Acceptor, nodeHttp2 } from "./node-http2.js";
import { type Pages, withPages } from "./page.js";
import { type Routes, recordRoutes } from "./routes.js";

/** What is served, and how. */
export interface ServerAdapterOptions extends ConnectRouterOptions {
  readonly routes: (router: ConnectRouter) => void;
  /** What is served beside the calls, over both versions of HTTP. Default: nothing. */
  readonly pages?: Pages;
  /** Which hosts may be asked for over HTTP/2; `listen` is told, too. Default: any. */
  readonly hosts?: Hosts | undefined;
  /** Whose gRPC and HTTP/2 it is. Default: native. */
  readonly transport?: RpcTransport;
  /** What one HTTP/2 connection may cost; of these node:http2 has the number of streams only. */
  readonly limits?: Limits;
}

/** Answers gRPC, gRPC-Web and Connect over both versions of HTTP: to be given to `listen`. */
export interface ProtocolHandlers {
  readonly http1: RequestListener;
  readonly http2: Http2Acceptor;
}

/** Puts routes behind a port: `listen({ ...createServerAdapter({ routes }), host, port })`. */
export function createServerAdapter({
  routes,
  pages = {},
  hosts,
  transport = "native",
  limits,
  ...options
}: ServerAdapterOptions): ProtocolHandlers {
  const acceptCompression = compressions(Code.InvalidArgument);
  const settings = {
    acceptCompression,
    compressMinBytes: COMPRESS_MIN_BYTES,
    readMaxBytes: MAX_REQUEST_BYTES,
    ...options,
  };
  let recorded: Routes | undefined;
  const calls = connectNodeAdapter({
    ...settings,
    routes: (router) => {
      recorded = recordRoutes(routes, router, settings);
    },
  });
  const http1 = withPages(pages, calls);
  const { shutdownSignal } = options;
  // Connect's own handlers listen to it for each of their calls.
  if (shutdownSignal !== undefined) setMaxListeners(0, shutdownSignal);
  if (transport === "node") {
    // A gateway's callers share its connection: it may have as many streams as on the native one.
    const { maxConcurrentStreams } = limits ?? defaultLimits;
    return { http1, http2: nodeHttp2(http1 as typeof calls, undefined, hosts, maxConcurrentStreams) };
  }
  const http2 = new GrpcServer({ ...(recorded as unknown as Routes), pages, hosts }, limits);
  shutdownSignal?.addEventListener("abort", () => http2.abort(shutdownSignal.reason as ConnectError), { once: true });
  return { http1, http2 };
}
