import { create, type JsonObject, type Registry, toJson } from "@bufbuild/protobuf";
import { type Any, AnySchema, anyPack } from "@bufbuild/protobuf/wkt";
import type { ConnectError } from "@connectrpc/connect";
import { codeToHttpStatus } from "@connectrpc/connect/protocol-connect";

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
  const details = error.details.map((detail) => {
    const any =
      "desc" in detail
        ? anyPack(detail.desc, create(detail.desc, detail.value))
        : create(AnySchema, { typeUrl: `type.googleapis.com/${detail.type}`, value: detail.value });
    return anyToJson(any, types);
  });
  return { status, body: { code: error.code, message: error.rawMessage, details } };
}

/** A detail of a type that nobody here knows, or whose bytes are broken, is shown as it came. */
function anyToJson(any: Any, types: Registry): JsonObject {
  try {
    return { "@type": any.typeUrl, ...(toJson(AnySchema, any, { registry: types }) as JsonObject) };
  } catch {
    return { "@type": any.typeUrl, value: Buffer.from(any.value).toString("base64") };
  }
}
