import type { DescMethod, Registry } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel as Idempotency } from "@bufbuild/protobuf/wkt";
import type { FastifyReply, FastifyRequest } from "fastify";
import { errorFor } from "../errors/error.js";
import { isRpc } from "./passthrough/protocol.js";
import { sendError, sendWrongVerb } from "./rest/rest-error.js";

/** Returns whether a method may be called by Connect's GET. */
export function allowsGet({ idempotency, methodKind }: DescMethod): boolean {
  return idempotency === Idempotency.NO_SIDE_EFFECTS && methodKind === "unary";
}

/**
 * Refuses a request to a method's path that is not a call in any RPC protocol. Without this, its response would have no text.
 * Returns whether the request was refused.
 */
export function refuseNonRpc(
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
