import type { OutgoingHttpHeaders } from "node:http";
import type { ConnectError } from "@connectrpc/connect";
import { encodeEnvelope } from "@connectrpc/connect/protocol";
import {
  codeToHttpStatus,
  endStreamFlag,
  endStreamToJson,
  errorToJson,
  parseTimeout as parseConnectTimeout,
} from "@connectrpc/connect/protocol-connect";
import { parseTimeout as parseGrpcTimeout, setTrailerStatus } from "@connectrpc/connect/protocol-grpc";
import { trailerFlag, trailerSerialize } from "@connectrpc/connect/protocol-grpc-web";

/** A complete response with only an error. */
export interface Refusal {
  readonly status: number;
  readonly headers: OutgoingHttpHeaders;
  readonly body?: Uint8Array;
}

/** The end of a response that has started: HTTP trailers, or a last frame. */
export type Ending = { readonly trailers: OutgoingHttpHeaders } | { readonly frame: Uint8Array };

/** The parts of an RPC protocol that the gateway needs to pass its calls through without decoding them. */
export interface Protocol {
  readonly timeoutHeader: "grpc-timeout" | "connect-timeout-ms";
  /** Milliseconds that the caller gives; undefined if it does not say, or not in words of the protocol. */
  parseTimeout(header: string): number | undefined;
  formatTimeout(milliseconds: number): string;
  /** Returns the response for an error before anything was sent. */
  refuse(error: ConnectError, contentType: string): Refusal;
  /** Returns the end of a response for an error after messages were sent; undefined if the protocol has none. */
  end(error: ConnectError): Ending | undefined;
  /** Whether an ending is a frame of the body, and so must not cut another one in two. */
  readonly framed: boolean;
  /** Whether `te: trailers` must be sent, which does not pass from one connection to the next. */
  readonly te: boolean;
}

/** https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md */
const grpc: Protocol = {
  timeoutHeader: "grpc-timeout",
  framed: false,
  te: true,
  parseTimeout: (header) => parseGrpcTimeout(header, Number.POSITIVE_INFINITY).timeoutMs,
  // At most eight digits.
  formatTimeout: (ms) => (ms < 1e8 ? `${Math.ceil(ms)}m` : `${Math.ceil(ms / 1000)}S`),
  refuse: (error, contentType) => ({
    status: 200,
    headers: { "content-type": contentType, ...Object.fromEntries(grpcStatus(error)) },
  }),
  end: (error) => ({ trailers: Object.fromEntries(grpcStatus(error)) }),
};

/** https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-WEB.md */
const grpcWeb: Protocol = {
  ...grpc,
  framed: true,
  te: false,
  end: (error) => ({ frame: encodeEnvelope(trailerFlag, trailerSerialize(grpcStatus(error))) }),
};

/** https://connectrpc.com/docs/protocol#unary-request */
export const connectUnary: Protocol = {
  timeoutHeader: "connect-timeout-ms",
  framed: false,
  te: false,
  parseTimeout: (header) => parseConnectTimeout(header, Number.POSITIVE_INFINITY).timeoutMs,
  formatTimeout: (ms) => `${Math.ceil(ms)}`,
  refuse: (error) => ({
    status: codeToHttpStatus(error.code),
    headers: { "content-type": "application/json" },
    body: Buffer.from(JSON.stringify(errorToJson(error, undefined))),
  }),
  end: () => undefined,
};

/** https://connectrpc.com/docs/protocol#streaming-rpcs */
const connectStream: Protocol = {
  ...connectUnary,
  framed: true,
  refuse: (error, contentType) => ({
    status: 200,
    headers: { "content-type": contentType },
    body: connectEndStream(error),
  }),
  end: (error) => ({ frame: connectEndStream(error) }),
};

/** Tells the protocol of a call by its content type. Without one it is a Connect unary call by GET. */
export function protocolOf(contentType: string): Protocol {
  if (/^application\/grpc-web(\+|;|$)/i.test(contentType)) return grpcWeb;
  if (/^application\/grpc(\+|;|$)/i.test(contentType)) return grpc;
  if (/^application\/connect\+/i.test(contentType)) return connectStream;
  return connectUnary;
}

/** Whether a body of this content type may be a call in any of the protocols. */
export function isRpc(contentType: string): boolean {
  return /^application\/(grpc(-web)?(-text)?(\+[\w.-]+)?|connect\+(json|proto)|json|proto)\s*(;|$)/i.test(contentType);
}

function grpcStatus(error: ConnectError): Headers {
  return setTrailerStatus(new Headers(), error);
}

function connectEndStream(error: ConnectError): Uint8Array {
  return encodeEnvelope(endStreamFlag, Buffer.from(JSON.stringify(endStreamToJson(new Headers(), error, undefined))));
}
