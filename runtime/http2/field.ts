/** Field names that the layers above ask for, as numbers: header blocks are read with `switch` instead of string comparison. */
export const FieldKind = {
  Other: 0,
  Method: 1,
  Scheme: 2,
  Authority: 3,
  Path: 4,
  Status: 5,
  /** A pseudo-header field that HTTP does not define. */
  UnknownPseudo: 6,
  /** A field about an HTTP/1.1 connection, which HTTP/2 forbids (RFC 9113, section 8.2.2). */
  ConnectionSpecific: 7,
  Te: 8,
  ContentLength: 9,
  Host: 10,
  Cookie: 11,
  ContentType: 12,
  GrpcTimeout: 13,
  GrpcEncoding: 14,
  GrpcAcceptEncoding: 15,
  GrpcStatus: 16,
  GrpcMessage: 17,
  GrpcStatusDetails: 18,
} as const;

const kinds = new Map<string, number>([
  [":method", FieldKind.Method],
  [":scheme", FieldKind.Scheme],
  [":authority", FieldKind.Authority],
  [":path", FieldKind.Path],
  [":status", FieldKind.Status],
  ["connection", FieldKind.ConnectionSpecific],
  ["keep-alive", FieldKind.ConnectionSpecific],
  ["proxy-connection", FieldKind.ConnectionSpecific],
  ["transfer-encoding", FieldKind.ConnectionSpecific],
  ["upgrade", FieldKind.ConnectionSpecific],
  ["te", FieldKind.Te],
  ["content-length", FieldKind.ContentLength],
  ["host", FieldKind.Host],
  ["cookie", FieldKind.Cookie],
  ["content-type", FieldKind.ContentType],
  ["grpc-timeout", FieldKind.GrpcTimeout],
  ["grpc-encoding", FieldKind.GrpcEncoding],
  ["grpc-accept-encoding", FieldKind.GrpcAcceptEncoding],
  ["grpc-status", FieldKind.GrpcStatus],
  ["grpc-message", FieldKind.GrpcMessage],
  ["grpc-status-details-bin", FieldKind.GrpcStatusDetails],
]);

/** Names: RFC 9113, section 8.2.1, and the tokens of RFC 9110, section 5.6.2. */
const validName = /^:?[!#$%&'*+.^_`|~0-9a-z-]+$/;
const invalidValue = /[\0\r\n]|^[ \t]|[ \t]$/;

/** One field of a header block. Header blocks share the fields of HPACK's tables. */
export class Field {
  readonly kind: number;
  /** The size of the field in tables and limits (RFC 7541, section 4.1). */
  readonly size: number;
  /** Whether all characters are allowed. A message with an invalid field is malformed. */
  readonly isValid: boolean;

  constructor(
    readonly name: string,
    readonly value: string,
  ) {
    this.kind = kinds.get(name) ?? (name.startsWith(":") ? FieldKind.UnknownPseudo : FieldKind.Other);
    this.size = name.length + value.length + 32;
    this.isValid = validName.test(name) && !invalidValue.test(value);
  }
}

/**
 * A decoded header block. Blocks of the same bytes may be one object, so a block holds nothing of a single stream. It
 * keeps the heads and trailers that were read from it, so that each block is read once.
 */
export class HeaderBlock {
  /** The head of a message that was read from the fields; null if they are malformed as that. */
  head: unknown = undefined;
  /** The fields as trailers; null if they are malformed as that. */
  trailers: readonly Field[] | null | undefined = undefined;

  constructor(
    readonly fields: readonly Field[],
    /** Whether the block has more fields than the limit allows. Those beyond it are left out. */
    readonly isTooLarge: boolean,
  ) {}

  /** Returns the first value of a name. */
  get(name: string): string | undefined {
    for (const field of this.fields) if (field.name === name) return field.value;
    return undefined;
  }
}
