import { METHODS } from "node:http";
import type { TlsOptions } from "node:tls";
import { Code, type ConnectRouter, cors as connectCors } from "@connectrpc/connect";
import { fastifyConnectPlugin } from "@connectrpc/connect-fastify";
import cors from "@fastify/cors";
import { type FastifyInstance, fastify, LogController } from "fastify";
import { staleAgeHeader } from "../call/active-call.js";
import { createServiceClient } from "../client/client.js";
import type { Hosts } from "../config/hosts.js";
import { compressions } from "../connect/compressions.js";
import type { Logger } from "../observe/log.js";
import { Health as HealthService } from "../options/grpc/health/v1/health_pb.js";
import { type Health, healthRoutes } from "../server/health.js";
import { createHttp1Server } from "../server/http1.js";
import { reflectionRoutes } from "../server/reflection.js";
import { recordRoutes } from "../server/routes.js";
import { healthPages } from "../service/readiness.js";
import type { System } from "../spec/system.js";
import { BodyGuard, type BodyLimits } from "./body-guard.js";
import { refuseNonRpc } from "./non-rpc.js";
import { passthrough } from "./passthrough/plugin.js";
import { type RestRoute, rest } from "./rest/plugin.js";
import { bodyLimit, sendError } from "./rest/rest-error.js";
import { typesOf } from "./rest/types.js";
import type { StaticFiles } from "./static.js";
import type { Upstream } from "./upstream.js";

/** The dependencies of a gateway. */
export interface AppOptions {
  readonly system: System;
  /** The services, by their short names. */
  readonly upstreams: ReadonlyMap<string, Upstream>;
  /**
   * The gateway's own health. It does not depend on the services: a load balancer would take a gateway out of use for one
   * service that is down, and so for all others.
   */
  readonly health: Health;
  /** Files served at `/`. */
  readonly files: StaticFiles | undefined;
  readonly log: Logger;
  /** The certificate and key of the HTTP/1.1 server; undefined: no TLS. */
  readonly tls?: TlsOptions | undefined;
  /** The hosts that requests may name; undefined: any. */
  readonly hosts?: Hosts | undefined;
  /** The limits of incomplete REST request bodies. */
  readonly bodyLimits?: BodyLimits | undefined;
  /** Aborted when the process begins to drain. */
  readonly draining: AbortSignal;
}

/** Creates the gateway as a Fastify application, for HTTP/1.1 (`app.server`) and HTTP/2 (`app.routing`). */
export async function createApp(options: AppOptions): Promise<FastifyInstance> {
  const { system, upstreams, health, files, log, tls, hosts, draining } = options;
  const types = typesOf(system);
  const app = fastify({
    bodyLimit,
    loggerInstance: log,
    logController: new LogController({ disableRequestLogging: true }),
    return503OnClosing: false,
    serverFactory: (handle) => createHttp1Server(handle, { tls, hosts }),
    frameworkErrors: (error, _request, reply) => void sendError(reply, error, types),
  }) as unknown as FastifyInstance;
  // Fastify knows only some of the methods that Node.js's parser accepts. The routes below refuse the others with 405 and `Allow`.
  for (const method of METHODS)
    if (!app.supportedMethods.includes(method)) app.addHttpMethod(method, { hasBody: true });
  app.setErrorHandler((error, _request, reply) => sendError(reply, error, types));

  // Pages of any origin may call, as any program may. The browser sends no cookies with such calls.
  await app.register(cors, {
    origin: "*",
    methods: ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"],
    exposedHeaders: [...connectCors.exposedHeaders, "Server-Timing", staleAgeHeader],
    maxAge: 7200,
    // An OPTIONS request that is not a preflight is handled like any other request.
    strictPreflight: false,
  });
  const bodies = new BodyGuard(options.bodyLimits);
  await app.register(passthrough, { system, upstreams, types, draining });
  await app.register(async (scope) => {
    scope.addHook("onRequest", (request, reply, next) => {
      if (refuseNonRpc(request, reply, ["POST"], types)) return;
      // A reflection call is a stream of requests without a time limit, so only bodies of health checks have one.
      if (request.url.startsWith(`/${HealthService.typeName}/`)) bodies.time(request, reply);
      next();
    });
    const settings = { readMaxBytes: bodyLimit, acceptCompression: compressions(Code.InvalidArgument) };
    await scope.register(fastifyConnectPlugin, {
      ...settings,
      routes(router) {
        const services = [...system.services.map(({ service }) => service), HealthService];
        const register = (recorder: ConnectRouter) => {
          healthRoutes(health)(recorder);
          reflectionRoutes(services)(recorder);
        };
        recordRoutes(register, router, settings);
      },
    });
  });
  for (const [path, page] of Object.entries(healthPages(health))) {
    app.get(path, (_request, reply) =>
      reply
        .code(page.status?.() ?? 200)
        .type(page.contentType)
        .send(page.text()),
    );
  }
  await app.register(async (scope) => {
    if (files !== undefined) {
      scope.addHook("onRequest", (request, reply, next) => {
        if (!files.serve(request, reply)) next();
      });
    }
    bodies.guard(scope);
    const isPage = (path: string) => path === "/healthz" || path === "/readyz" || files?.has(path) === true;
    const services = system.services.map(({ service }) => service.typeName);
    await rest(scope, { routes: restRoutes(system, upstreams), services, types, draining, isPage });
  });
  await app.ready();
  return app;
}

function restRoutes(system: System, upstreams: ReadonlyMap<string, Upstream>): RestRoute[] {
  return system.services.flatMap(({ name, service, policy, routes, codecs }) => {
    const upstream = upstreams.get(name)!;
    const { baseUrl, connections } = upstream;
    const client: unknown = createServiceClient(service, policy, { baseUrl, connections }, codecs);
    const calls = client as Record<string, RestRoute["call"]>;
    return routes.map((route) => ({
      ...route,
      timeoutMs: policy[route.method.localName]?.timeoutMs,
      call: calls[route.method.localName]!,
      afterResets: (done: () => void) => upstream.afterResets(done),
    }));
  });
}
