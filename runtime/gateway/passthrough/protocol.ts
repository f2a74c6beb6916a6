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

/** A complete response that has only an error. */
export interface ErrorResponse {
  readonly status: number;
  readonly headers: OutgoingHttpHeaders;
  readonly body?: Uint8Array;
}

/** The end of a response that has begun: HTTP trailers, or a last frame. */
export type ResponseEnd = { readonly trailers: OutgoingHttpHeaders } | { readonly frame: Uint8Array };

/** The parts of an RPC protocol that the gateway needs to forward calls without decoding them. */
export interface Protocol {
  readonly timeoutHeader: "grpc-timeout" | "connect-timeout-ms";
  /** Parses the timeout header. Returns milliseconds, or undefined if the value is invalid. */
  parseTimeout(header: string): number | undefined;
  formatTimeout(milliseconds: number): string;
  /** Returns the response for an error if nothing has been sent. */
  refuse(error: ConnectError, contentType: string): ErrorResponse;
  /** Returns the end of a response for an error after its head was sent; undefined if the protocol has none. */
  end(error: ConnectError): ResponseEnd | undefined;
  /** Whether the end is a frame of the body, which must not interrupt another frame. */
  readonly isFramed: boolean;
  /** Whether requests must have `te: trailers`. It is a hop-by-hop header, so the gateway sends its own. */
  readonly te: boolean;
}

/** https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md */
const grpc: Protocol = {
  timeoutHeader: "grpc-timeout",
  isFramed: false,
  te: true,
  parseTimeout: (header) => parseGrpcTimeout(header, Number.POSITIVE_INFINITY).timeoutMs,
  // A value has at most eight digits.
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
  isFramed: true,
  te: false,
  end: (error) => ({ frame: encodeEnvelope(trailerFlag, trailerSerialize(grpcStatus(error))) }),
};

/** https://connectrpc.com/docs/protocol#unary-request */
export const connectUnary: Protocol = {
  timeoutHeader: "connect-timeout-ms",
  isFramed: false,
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
  isFramed: true,
  refuse: (error, contentType) => ({
    status: 200,
    headers: { "content-type": contentType },
    body: connectEndStream(error),
  }),
  end: (error) => ({ frame: connectEndStream(error) }),
};

/** Returns the protocol of a call by its content type. A call without one is Connect's GET. */
export function protocolOf(contentType: string): Protocol {
  if (/^application\/grpc-web(\+|;|$)/i.test(contentType)) return grpcWeb;
  if (/^application\/grpc(\+|;|$)/i.test(contentType)) return grpc;
  if (/^application\/connect\+/i.test(contentType)) return connectStream;
  return connectUnary;
}

/** Returns whether a content type is that of an RPC protocol. */
export function isRpc(contentType: string): boolean {
  return /^application\/(grpc(-web)?(-text)?(\+[\w.-]+)?|connect\+(json|proto)|json|proto)\s*(;|$)/i.test(contentType);
}

function grpcStatus(error: ConnectError): Headers {
  return setTrailerStatus(new Headers(), error);
}

function connectEndStream(error: ConnectError): Uint8Array {
  return encodeEnvelope(endStreamFlag, Buffer.from(JSON.stringify(endStreamToJson(new Headers(), error, undefined))));
}
