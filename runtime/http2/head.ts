import { type Field, FieldKind, type HeaderBlock } from "./field.js";

const binaryGrpc = /^application\/grpc(\+proto)?$/i;

/** A request's method, target and headers. */
export interface RequestHead {
  readonly method: string;
  readonly scheme: string;
  readonly authority: string;
  readonly path: string;
  readonly contentType: string | undefined;
  /** Whether it is a gRPC call with Protobuf messages. */
  readonly isGrpc: boolean;
  /** The announced length of the body, or -1. */
  readonly contentLength: number;
  readonly grpcTimeout: string | undefined;
  readonly grpcEncoding: string | undefined;
  readonly grpcAcceptEncoding: string | undefined;
  /** All fields except pseudo-header fields. */
  readonly fields: readonly Field[];
}

/** A response's status and headers. */
export interface ResponseHead {
  readonly status: number;
  readonly contentType: string | undefined;
  readonly contentLength: number;
  readonly grpcEncoding: string | undefined;
  readonly fields: readonly Field[];
}

/**
 * Returns the head of a request, read once per block. Returns undefined if it is malformed (RFC 9113, sections 8.1.1, 8.2
 * and 8.3.1): it has a field that HTTP/2 does not allow, or a pseudo-header field is missing, duplicate or misplaced.
 */
export function requestHead(block: HeaderBlock): RequestHead | undefined {
  block.head ??= readRequest(block) ?? null;
  return (block.head as RequestHead | null) ?? undefined;
}

/** Returns the head of a response, or undefined if it is malformed (RFC 9113, section 8.3.2). */
export function responseHead(block: HeaderBlock): ResponseHead | undefined {
  block.head ??= readResponse(block) ?? null;
  return (block.head as ResponseHead | null) ?? undefined;
}

/** Returns the fields of trailers, or undefined if they are malformed: trailers have no pseudo-header fields. */
export function trailerFields(block: HeaderBlock): readonly Field[] | undefined {
  if (block.trailers === undefined) block.trailers = block.fields.every(isRegular) ? block.fields : null;
  return block.trailers ?? undefined;
}

function readRequest({ fields }: HeaderBlock): RequestHead | undefined {
  let method: string | undefined;
  let scheme: string | undefined;
  let authority: string | undefined;
  let path: string | undefined;
  let host: string | undefined;
  let contentType: string | undefined;
  let contentLength = -1;
  let grpcTimeout: string | undefined;
  let grpcEncoding: string | undefined;
  let grpcAcceptEncoding: string | undefined;
  const regular: Field[] = [];
  for (const field of fields) {
    const { kind, value } = field;
    if (!field.isValid) return undefined;
    if (kind >= FieldKind.Method && kind <= FieldKind.UnknownPseudo) {
      if (regular.length > 0) return undefined;
      if (kind === FieldKind.Method && method === undefined) method = value;
      else if (kind === FieldKind.Scheme && scheme === undefined) scheme = value;
      else if (kind === FieldKind.Authority && authority === undefined) authority = value;
      else if (kind === FieldKind.Path && path === undefined) path = value;
      else return undefined;
      continue;
    }
    switch (kind) {
      case FieldKind.ConnectionSpecific:
        return undefined;
      case FieldKind.Te:
        if (value !== "trailers") return undefined;
        break;
      case FieldKind.ContentLength:
        if (contentLength >= 0 || !/^\d{1,15}$/.test(value)) return undefined;
        contentLength = Number(value);
        break;
      case FieldKind.Host:
        // It says the same as :authority (section 8.3.1), so a second one contradicts the first.
        if (host !== undefined) return undefined;
        host = value;
        break;
      case FieldKind.ContentType:
        contentType ??= value;
        break;
      case FieldKind.GrpcTimeout:
        grpcTimeout ??= value;
        break;
      case FieldKind.GrpcEncoding:
        grpcEncoding ??= value;
        break;
      case FieldKind.GrpcAcceptEncoding:
        grpcAcceptEncoding ??= value;
    }
    regular.push(field);
  }
  if (method === undefined) return undefined;
  if (method === "CONNECT") {
    // Section 8.5. There are no tunnels here: the request is refused by its handler.
    if (scheme !== undefined || path !== undefined || authority === undefined) return undefined;
  } else if (scheme === undefined || path === undefined || !isPath(method, path)) return undefined;
  return {
    method,
    scheme: scheme ?? "",
    authority: authority ?? host ?? "",
    path: path ?? "",
    contentType,
    isGrpc: method === "POST" && contentType !== undefined && binaryGrpc.test(contentType),
    contentLength,
    grpcTimeout,
    grpcEncoding,
    grpcAcceptEncoding,
    fields: regular,
  };
}

/** Section 8.3.1: a path, or `*` for OPTIONS of the server itself. A proxy could take a whole URL for another host's. */
function isPath(method: string, path: string): boolean {
  return path.charCodeAt(0) === 47 || (path === "*" && method === "OPTIONS");
}

function readResponse({ fields }: HeaderBlock): ResponseHead | undefined {
  let status: number | undefined;
  let contentType: string | undefined;
  let contentLength = -1;
  let grpcEncoding: string | undefined;
  const regular: Field[] = [];
  for (const field of fields) {
    const { kind, value } = field;
    if (kind === FieldKind.Status) {
      if (status !== undefined || regular.length > 0 || !/^[1-9]\d\d$/.test(value)) return undefined;
      status = Number(value);
      continue;
    }
    if (!isRegular(field)) return undefined;
    if (kind === FieldKind.ContentType) contentType ??= value;
    else if (kind === FieldKind.GrpcEncoding) grpcEncoding ??= value;
    else if (kind === FieldKind.ContentLength) {
      if (contentLength >= 0 || !/^\d{1,15}$/.test(value)) return undefined;
      contentLength = Number(value);
    }
    regular.push(field);
  }
  return status === undefined ? undefined : { status, contentType, contentLength, grpcEncoding, fields: regular };
}

function isRegular({ kind, isValid }: Field): boolean {
  return isValid && (kind < FieldKind.Method || kind > FieldKind.ConnectionSpecific);
}
