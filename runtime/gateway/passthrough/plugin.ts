import type { Registry } from "@bufbuild/protobuf";
import type { FastifyInstance } from "fastify";
import type { MethodPolicy } from "../../spec/policy.js";
import type { System } from "../../spec/system.js";
import { allowsGet, refuseNonRpc } from "../non-rpc.js";
import type { Upstream } from "../upstream.js";
import { ForwardedCall, type HttpExchange } from "./forwarded-call.js";

export interface PassthroughOptions {
  readonly system: System;
  /** The services, by their short names. */
  readonly upstreams: ReadonlyMap<string, Upstream>;
  /** The message types of error details. */
  readonly types: Registry;
  /** Aborted when the process begins to drain. */
  readonly draining: AbortSignal;
}

/**
 * A Fastify plugin that forwards gRPC, gRPC-Web and Connect calls (`/shop.orders.v1.OrderService/GetOrder`) to the services of a
 * system, without decoding them.
 */
export async function passthrough(app: FastifyInstance, options: PassthroughOptions): Promise<void> {
  // No parser reads the bodies: they are piped to the service.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", (_request, _body, done) => done(null));
  for (const { name, service, policy } of options.system.services) {
    const upstream = options.upstreams.get(name)!;
    const policies = new Map<string, MethodPolicy | undefined>(
      service.methods.map((method) => [`/${service.typeName}/${method.name}`, policy[method.localName]]),
    );
    // A method that is missing in the gateway's version of the contract may support GET.
    const verbs = new Map(
      service.methods.map((method) => [
        `/${service.typeName}/${method.name}`,
        allowsGet(method) ? ["GET", "POST"] : ["POST"],
      ]),
    );
    app.route({
      method: app.supportedMethods.filter((method) => method !== "OPTIONS"),
      url: `/${service.typeName}/*`,
      onRequest(request, reply, next) {
        const allowed = verbs.get(request.url.split("?", 1)[0]!) ?? ["GET", "POST"];
        if (!refuseNonRpc(request, reply, allowed, options.types)) next();
      },
      handler(request, reply) {
        reply.hijack();
        const response = reply.raw as HttpExchange["response"];
        // CORS headers, which Fastify does not write after `hijack`.
        for (const [header, value] of Object.entries(reply.getHeaders())) {
          if (value !== undefined) response.setHeader(header, value);
        }
        const call = new ForwardedCall({ request: request.raw, response }, upstream, options.draining);
        void call.start(policies.get(request.url.split("?", 1)[0]!));
        return reply;
      },
    });
  }
}
