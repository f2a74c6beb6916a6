import type { Registry } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import type { FastifyInstance, FastifyRequest } from "fastify";
import type { MethodPolicy } from "../../call/policy.js";
import type { System } from "../../system.js";
import { sendError } from "../rest-error.js";
import type { Upstream } from "../upstream.js";
import { type Exchange, PassedCall } from "./passed-call.js";
import { isRpc } from "./protocol.js";

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
    app.route({
      method: ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"],
      url: `/${service.typeName}/*`,
      handler(request, reply) {
        const fault = misuse(request);
        if (fault !== undefined) {
          return sendError(reply.headers(fault.headers), fault.error, options.types, fault.status);
        }
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

/** What is no call in any of the protocols, and so would be answered without a word. */
function misuse({ method, url, headers }: FastifyRequest) {
  const path = url.split("?", 1)[0];
  if (method !== "POST" && method !== "GET") {
    const message = `${path} does not answer ${method}, but POST`;
    return { error: new ConnectError(message, Code.Unimplemented), status: 405, headers: { allow: "POST" } };
  }
  if (method === "POST" && !isRpc(headers["content-type"] ?? "")) {
    const message = `${path} takes application/json, application/proto, or a content type of gRPC, gRPC-Web or Connect`;
    return { error: new ConnectError(message, Code.InvalidArgument), status: 415, headers: {} };
  }
  return undefined;
}
