/** Names that the layers above ask for, as numbers: a header block is read by `switch`, not by comparing texts. */
export const FieldKind = {
  Other: 0,
  Method: 1,
  Scheme: 2,
  Authority: 3,
  Path: 4,
  Status: 5,
  /** A name that begins with a colon and that HTTP does not know. */
  UnknownPseudo: 6,
  /** What speaks of an HTTP/1.1 connection, and has no place in HTTP/2 (RFC 9113, section 8.2.2). */
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

/** RFC 9113, section 8.2.1, and the tokens of RFC 9110, section 5.6.2. */
const validName = /^:?[!#$%&'*+.^_`|~0-9a-z-]+$/;
const invalidValue = /[\0\r\n]|^[ \t]|[ \t]$/;

/** One field of a header block. Fields of a table are shared by every block that names them. */
export class Field {
  readonly kind: number;
  /** What the field counts for in tables and limits (RFC 7541, section 4.1). */
  readonly size: number;
  /** Whether its characters are allowed; a message with one that is not is malformed. */
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
 * A decoded header block. One whose bytes are the same as an earlier one's may be the same object, so nothing about a
 * single stream is kept in it; what is read out of it is kept, so that it is read once.
 */
export class HeaderBlock {
  /** What a reader made of these fields as the head of a message, and as trailers: null if they are malformed as that. */
  head: unknown = undefined;
  trailers: readonly Field[] | null | undefined = undefined;

  constructor(
    readonly fields: readonly Field[],
    /** Whether there were more fields than the limit allows; those beyond it are not here. */
    readonly isTooLarge: boolean,
  ) {}

  /** The first value under this name. */
  get(name: string): string | undefined {
    for (const field of this.fields) if (field.name === name) return field.value;
    return undefined;
  }
}
