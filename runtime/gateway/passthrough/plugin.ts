import type { FastifyInstance } from "fastify";
import type { MethodPolicy } from "../../call/policy.js";
import type { System } from "../../system.js";
import type { Upstream } from "../upstream.js";
import { type Exchange, PassedCall } from "./passed-call.js";

export interface PassthroughOptions {
  readonly system: System;
  /** The services, by their short names. */
  readonly upstreams: ReadonlyMap<string, Upstream>;
  /** Aborted when the process begins to drain. */
  readonly draining: AbortSignal;
}

/**
 * A Fastify plugin that passes gRPC, gRPC-Web and Connect calls (`/shop.orders.v1.OrderService/GetOrder`) on to the
 * services of a system, without decoding them.
 */
export async function passthrough(app: FastifyInstance, options: PassthroughOptions): Promise<void> {
  // Bodies are left where they are: in the socket, until the service takes them.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", (_request, _body, done) => done(null));
  for (const { name, service, policy } of options.system.services) {
    const upstream = options.upstreams.get(name)!;
    const policies = new Map<string, MethodPolicy | undefined>(
      service.methods.map((method) => [`/${service.typeName}/${method.name}`, policy[method.localName]]),
    );
    app.route({
      method: ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"],
      url: `/${service.typeName}/*`,
      handler(request, reply) {
        reply.hijack();
        const response = reply.raw as Exchange["response"];
        // Those of CORS, which Fastify would have written itself.
        for (const [header, value] of Object.entries(reply.getHeaders())) {
          if (value !== undefined) response.setHeader(header, value);
        }
        const call = new PassedCall({ request: request.raw, response }, upstream, options.draining);
        void call.start(policies.get(request.url.split("?", 1)[0]!));
      },
    });
  }
}
