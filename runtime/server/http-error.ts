import type { OutgoingHttpHeaders, ServerResponse } from "node:http";
import type { Http2ServerResponse } from "node:http2";
import type { Code } from "@connectrpc/connect";

export const jsonType = "application/json";

/** Why a request is refused before any call is made of it. */
export interface HttpRefusal {
  /** The HTTP status. */
  readonly status: number;
  readonly code: Code;
  readonly message: string;
  readonly headers?: OutgoingHttpHeaders;
}

/** A google.rpc.Status without details, in ProtoJSON: how errors of plain HTTP are told. */
export function statusJson(code: Code, message: string): string {
  return JSON.stringify({ code, message, details: [] });
}

/** Sends a refusal as the whole response. */
export function sendRefusal(response: ServerResponse | Http2ServerResponse, refusal: HttpRefusal): void {
  const { status, code, message, headers } = refusal;
  const body = Buffer.from(statusJson(code, message));
  const node = response as ServerResponse;
  node.writeHead(status, { ...headers, "content-type": jsonType, "content-length": body.length });
  node.end(body);
}
