import type { Registry } from "@bufbuild/protobuf";
import type { FastifyInstance } from "fastify";
import type { MethodPolicy } from "../../spec/policy.js";
import type { System } from "../../spec/system.js";
import { isReading, refuseMisuse } from "../misuse.js";
import type { Upstream } from "../upstream.js";
import { type Exchange, PassedCall } from "./passed-call.js";

export interface PassthroughOptions {
  readonly system: System;
  /** The services, by their short names. */
  readonly upstreams: ReadonlyMap<string, Upstream>;
  /** Types that an error's details may have. */
  readonly types: Registry;
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
    // A method that this gateway's contract does not know yet may support GET.
    const verbs = new Map(
      service.methods.map((method) => [
        `/${service.typeName}/${method.name}`,
        isReading(method) ? ["GET", "POST"] : ["POST"],
      ]),
    );
    app.route({
      method: app.supportedMethods.filter((method) => method !== "OPTIONS"),
      url: `/${service.typeName}/*`,
      onRequest(request, reply, next) {
        const allowed = verbs.get(request.url.split("?", 1)[0]!) ?? ["GET", "POST"];
        if (!refuseMisuse(request, reply, allowed, options.types)) next();
      },
      handler(request, reply) {
        reply.hijack();
        const response = reply.raw as Exchange["response"];
        // Those of CORS, which Fastify would have written itself.
        for (const [header, value] of Object.entries(reply.getHeaders())) {
          if (value !== undefined) response.setHeader(header, value);
        }
        const call = new PassedCall({ request: request.raw, response }, upstream, options.draining);
        void call.start(policies.get(request.url.split("?", 1)[0]!));
        return reply;
      },
    });
  }
}
