import { create } from "@bufbuild/protobuf";
import { Code, ConnectError, decodeBinaryHeader, encodeBinaryHeader } from "@connectrpc/connect";
import { tellable } from "../call/answer-text.js";
import { anyOf } from "../call/error-detail.js";
import { ErrorCode } from "../http2/errors.js";
import { type Field, FieldKind } from "../http2/field.js";
import { type Status, StatusSchema } from "../options/google/rpc/status_pb.js";
import { appendMetadata, headersOf } from "./metadata.js";

/** Appends the fields of an error's status to trailers, or to the headers of a trailers-only response. */
export function appendStatus(fields: string[], thrown: ConnectError): void {
  const error = tellable(thrown);
  fields.push("grpc-status", String(error.code), "grpc-message", encodeMessage(error.rawMessage));
  if (error.details.length > 0) {
    const status = create(StatusSchema, {
      code: error.code,
      message: error.rawMessage,
      details: error.details.map(anyOf),
    });
    fields.push("grpc-status-details-bin", encodeBinaryHeader(status, StatusSchema));
  }
  appendMetadata(fields, error.metadata);
}

/**
 * Reads the status from trailers, or from the headers of a trailers-only response. Returns null for OK, undefined if there is
 * no status, and the error otherwise. The fields are the metadata of the error.
 */
export function readStatus(fields: readonly Field[]): ConnectError | null | undefined {
  let status: string | undefined;
  let message = "";
  let details: string | undefined;
  for (const { kind, value } of fields) {
    if (kind === FieldKind.GrpcStatus) status ??= value;
    else if (kind === FieldKind.GrpcMessage) message = value;
    else if (kind === FieldKind.GrpcStatusDetails) details ??= value;
  }
  if (status === "0") return null;
  if (status === undefined) return undefined;
  const code = Number(status);
  const isKnown = /^\d{1,2}$/.test(status) && code in Code;
  const more = details === undefined ? undefined : readDetails(details);
  const text = more?.message || decodeMessage(message);
  const error = new ConnectError(
    // An unknown status code becomes UNKNOWN (gRPC over HTTP/2, "Status").
    isKnown ? text : `${text} (grpc-status ${status})`,
    isKnown ? code : Code.Unknown,
    headersOf(fields),
  );
  for (const { typeUrl, value } of more?.details ?? []) {
    error.details.push({ type: typeUrl.slice(typeUrl.lastIndexOf("/") + 1), value });
  }
  return error;
}

/** Returns the decoded error details, or undefined if they are invalid: the status is still valid without them. */
function readDetails(text: string): Status | undefined {
  try {
    return decodeBinaryHeader(text, StatusSchema);
  } catch {
    return undefined;
  }
}

const asIs = /^(?! )[\x20-\x24\x26-\x7e]*(?<! )$/;

/** Percent-encodes all bytes except printable ASCII (gRPC over HTTP/2, "Status-Message"), and spaces at both ends of the text. */
function encodeMessage(text: string): string {
  if (asIs.test(text)) return text;
  let encoded = "";
  const bytes = new TextEncoder().encode(text);
  for (const [index, byte] of bytes.entries()) {
    const isEnd = index === 0 || index === bytes.length - 1;
    const isPlain = byte >= 0x20 && byte <= 0x7e && byte !== 0x25 && !(isEnd && byte === 0x20);
    encoded += isPlain ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return encoded;
}

/** Percent-decodes a message. An invalid escape is kept as it is, so that a percent sign does not lose the message. */
function decodeMessage(text: string): string {
  if (!text.includes("%")) return text;
  const bytes: number[] = [];
  for (let at = 0; at < text.length; at++) {
    const hex = text.slice(at + 1, at + 3);
    if (text[at] === "%" && /^[0-9a-fA-F]{2}$/.test(hex)) {
      bytes.push(Number.parseInt(hex, 16));
      at += 2;
    } else bytes.push(text.charCodeAt(at) & 0xff);
  }
  return Buffer.from(bytes).toString();
}

const resetCodes: Readonly<Record<number, Code>> = {
  [ErrorCode.REFUSED_STREAM]: Code.Unavailable,
  [ErrorCode.CANCEL]: Code.Canceled,
  [ErrorCode.ENHANCE_YOUR_CALM]: Code.ResourceExhausted,
  [ErrorCode.INADEQUATE_SECURITY]: Code.PermissionDenied,
};

/** Returns the status code of a call whose stream was reset with an HTTP/2 error code, by default INTERNAL (gRPC over HTTP/2, "Errors"). */
export function codeOfReset(code: number | undefined): Code {
  return resetCodes[code ?? ErrorCode.INTERNAL_ERROR] ?? Code.Internal;
}
