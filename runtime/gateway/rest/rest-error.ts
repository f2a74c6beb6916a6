import type { Registry } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import type { FastifyReply, FastifyRequest } from "fastify";
import { errorFor } from "../../errors/error.js";
import { BodyLimitError } from "../body-guard.js";
import { httpError } from "./status.js";

/** The maximum size of a REST request's body in bytes, the same as that of a service's request message. */
export const bodyLimit = 4 * 1024 * 1024;

/** Sends an error as google.rpc.Status in JSON. `status` replaces the HTTP status of the error's code. */
export function sendError(reply: FastifyReply, thrown: unknown, types: Registry, status?: number): FastifyReply {
  const { error, exactStatus } = rpcErrorOf(thrown);
  if (error.code === Code.Internal || error.code === Code.Unknown) reply.log.error({ err: thrown }, "a request failed");
  // Fastify sets `connection` if a body is unread. HTTP/2 does not allow that header.
  if (reply.request.raw.httpVersionMajor === 2) reply.removeHeader("connection");
  const { status: ownStatus, body } = httpError(error, types, status ?? exactStatus);
  return reply.code(ownStatus).type("application/json").send(JSON.stringify(body));
}

/** Sends a 405 response with the HTTP methods that a path allows. */
export function sendWrongVerb(request: FastifyRequest, reply: FastifyReply, verbs: readonly string[], types: Registry) {
  const path = request.url.split("?", 1)[0];
  const allow = verbs.join(", ");
  const error = errorFor("VERB_NOT_ALLOWED", `${path} does not answer ${request.method}, but ${allow}`);
  return sendError(reply.header("allow", allow), error, types, 405);
}

/** Returns whether a body was refused because of its size. The rest of it may still arrive. */
export function isTooLarge(thrown: unknown): boolean {
  return (thrown as { code?: string }).code === "FST_ERR_CTP_BODY_TOO_LARGE";
}

/** Returns the ConnectError for what was thrown, and its HTTP status if that is more exact than the one of the error's code. */
function rpcErrorOf(thrown: unknown): { error: ConnectError; exactStatus?: number } {
  if (thrown instanceof BodyLimitError) return { error: thrown.error, exactStatus: thrown.statusCode };
  if (thrown instanceof ConnectError) return { error: thrown };
  if (thrown instanceof URIError) return brokenUrl();
  const { code, statusCode, message } = thrown as { code?: string; statusCode?: number; message?: string };
  switch (code) {
    case "FST_ERR_CTP_BODY_TOO_LARGE":
      return {
        error: errorFor("MESSAGE_TOO_LARGE", `the body is larger than ${bodyLimit} bytes`),
        exactStatus: 413,
      };
    case "FST_ERR_CTP_INVALID_MEDIA_TYPE":
      return invalid("the body must be JSON: send it with Content-Type: application/json", 415);
    case "FST_ERR_BAD_URL":
      return brokenUrl();
  }
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) return invalid(message ?? "", statusCode);
  return { error: errorFor("GATEWAY_FAILED", "the gateway failed", { cause: thrown }) };
}

function brokenUrl(): { error: ConnectError; exactStatus: number } {
  return { error: errorFor("REQUEST_MALFORMED", "the percent-encoding of the URL is broken"), exactStatus: 400 };
}

function invalid(message: string, exactStatus: number): { error: ConnectError; exactStatus: number } {
  return { error: errorFor("BODY_INVALID", message), exactStatus };
}
