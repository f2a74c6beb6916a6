import type { DescMethod, Registry } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel as Idempotency } from "@bufbuild/protobuf/wkt";
import type { FastifyReply, FastifyRequest } from "fastify";
import { errorFor } from "../errors/error.js";
import { isRpc } from "./passthrough/protocol.js";
import { sendError, sendWrongVerb } from "./rest/rest-error.js";

/** Whether a method may be called by GET, as Connect allows it. */
export function isReading({ idempotency, methodKind }: DescMethod): boolean {
  return idempotency === Idempotency.NO_SIDE_EFFECTS && methodKind === "unary";
}

/**
 * Refuses a request to a method's path that is no call in any of the protocols, and so would get a response without a
 * word. Returns whether it did.
 */
export function refuseMisuse(
  request: FastifyRequest,
  reply: FastifyReply,
  verbs: readonly string[],
  types: Registry,
): boolean {
  const { method, headers } = request;
  if (!verbs.includes(method)) {
    void sendWrongVerb(request, reply, verbs, types);
    return true;
  }
  if (method !== "POST" || isRpc(headers["content-type"] ?? "")) return false;
  const path = request.url.split("?", 1)[0];
  const message = `${path} takes application/json, application/proto, or a content type of gRPC, gRPC-Web or Connect`;
  void sendError(reply, errorFor("BODY_INVALID", message), types, 415);
  return true;
}
