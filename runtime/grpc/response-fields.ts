import type { ConnectError } from "@connectrpc/connect";
import { ConstantBlock } from "../http2/hpack-encoder.js";
import { acceptedEncodings } from "./gzip.js";
import { appendMetadata } from "./metadata.js";
import { appendStatus } from "./status.js";

const head = [":status", "200", "content-type", "application/grpc+proto"];

/** The head of a response without metadata and compression, as almost every one is. */
export const identityHead = new ConstantBlock(head);
/** The head of a response that is compressed. */
export const gzipHead = new ConstantBlock([...head, "grpc-encoding", "gzip"]);
/** The trailers of a response with status OK and no metadata, as almost every one is. */
export const okTrailers = new ConstantBlock(["grpc-status", "0"]);

/** Returns the head of a response. `takesGzip`: its requests may be compressed; `sendsGzip`: its messages may be. */
export function headFields(takesGzip: boolean, sendsGzip: boolean, metadata: Headers | undefined): string[] {
  const fields = [...head];
  if (takesGzip || sendsGzip) fields.push("grpc-encoding", "gzip");
  if (takesGzip) fields.push("grpc-accept-encoding", acceptedEncodings);
  if (metadata !== undefined) appendMetadata(fields, metadata);
  return fields;
}

/** Returns the trailers for status OK with metadata. */
export function okFields(metadata: Headers): string[] {
  const fields = ["grpc-status", "0"];
  appendMetadata(fields, metadata);
  return fields;
}

/** Returns the trailers for an error; `isOnly`: they are the whole response ("Trailers-Only"). */
export function errorFields(error: ConnectError, isOnly: boolean, metadata: Headers | undefined): string[] {
  const fields = isOnly ? [...head] : [];
  appendStatus(fields, error);
  if (metadata !== undefined) appendMetadata(fields, metadata);
  return fields;
}
