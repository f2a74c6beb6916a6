import type { JsonObject, Registry } from "@bufbuild/protobuf";
import { type Any, AnySchema } from "@bufbuild/protobuf/wkt";
import type { ConnectError } from "@connectrpc/connect";
import { codeToHttpStatus } from "@connectrpc/connect/protocol-connect";
import { anyOf } from "../../call/error-detail.js";
import { jsonOf } from "../../codec/protojson/write.js";

/** A google.rpc.Status in ProtoJSON, with the HTTP status that goes with it. */
export interface HttpError {
  readonly status: number;
  readonly body: { readonly code: number; readonly message: string; readonly details: readonly JsonObject[] };
}

/**
 * Prints an error for REST callers: `{"code": 5, "message": "…", "details": [{"@type": "…", …}]}`. The HTTP status is
 * the one that google/rpc/code.proto names for the code, unless HTTP has a more exact word (413, 415, 405) in `status`.
 */
export function httpError(error: ConnectError, types: Registry, status = codeToHttpStatus(error.code)): HttpError {
  const details = error.details.map((detail) => anyToJson(anyOf(detail), types));
  return { status, body: { code: error.code, message: error.rawMessage, details } };
}

/** Returns a detail as JSON. One of an unknown type, or with invalid bytes, is left undecoded. */
function anyToJson(any: Any, types: Registry): JsonObject {
  try {
    // From the text, so that a key called __proto__ is one.
    const json = JSON.parse(jsonOf(AnySchema, any, { registry: types })) as JsonObject;
    return { "@type": any.typeUrl, ...json };
  } catch {
    return { "@type": any.typeUrl, value: Buffer.from(any.value).toString("base64") };
  }
}
