import type { JsonObject, Registry } from "@bufbuild/protobuf";
import { type Any, AnySchema } from "@bufbuild/protobuf/wkt";
import type { ConnectError } from "@connectrpc/connect";
import { codeToHttpStatus } from "@connectrpc/connect/protocol-connect";
import { anyOf } from "../../call/error-detail.js";
import { jsonOf } from "../../codec/protojson/write.js";

/** A google.rpc.Status in ProtoJSON, and its HTTP status. */
export interface HttpError {
  readonly status: number;
  readonly body: { readonly code: number; readonly message: string; readonly details: readonly JsonObject[] };
}

/**
 * Returns the response for an error: `{"code": 5, "message": "…", "details": [{"@type": "…", …}]}`. `status` is a more exact HTTP
 * status than the one that google/rpc/code.proto defines for the code, such as 405, 413 or 415.
 */
export function httpError(error: ConnectError, types: Registry, status = codeToHttpStatus(error.code)): HttpError {
  const details = error.details.map((detail) => anyToJson(anyOf(detail), types));
  return { status, body: { code: error.code, message: error.rawMessage, details } };
}

/** Returns a detail as JSON. If its type is unknown or its bytes are invalid, the value is base64. */
function anyToJson(any: Any, types: Registry): JsonObject {
  try {
    // Parsed from a text, so that a key `__proto__` becomes an own property.
    const json = JSON.parse(jsonOf(AnySchema, any, { registry: types })) as JsonObject;
    return { "@type": any.typeUrl, ...json };
  } catch {
    return { "@type": any.typeUrl, value: Buffer.from(any.value).toString("base64") };
  }
}
