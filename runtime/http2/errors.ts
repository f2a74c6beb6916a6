/** Why a stream or a connection ended (RFC 9113, section 7). */
export const ErrorCode = {
  NO_ERROR: 0x0,
  PROTOCOL_ERROR: 0x1,
  INTERNAL_ERROR: 0x2,
  FLOW_CONTROL_ERROR: 0x3,
  SETTINGS_TIMEOUT: 0x4,
  STREAM_CLOSED: 0x5,
  FRAME_SIZE_ERROR: 0x6,
  REFUSED_STREAM: 0x7,
  CANCEL: 0x8,
  COMPRESSION_ERROR: 0x9,
  CONNECT_ERROR: 0xa,
  ENHANCE_YOUR_CALM: 0xb,
  INADEQUATE_SECURITY: 0xc,
  HTTP_1_1_REQUIRED: 0xd,
} as const;

const names = new Map<number, string>(Object.entries(ErrorCode).map(([name, code]) => [code, name]));

/** An error code as RFC 9113 names it; of one that it does not know, the number. */
export function errorName(code: number): string {
  return names.get(code) ?? `0x${code.toString(16)}`;
}

/** A mistake after which a connection cannot go on (RFC 9113, section 5.4.1): it is told in a GOAWAY frame. */
export class ConnectionFault extends Error {
  override readonly name = "ConnectionFault";

  constructor(
    readonly code: number,
    message: string,
  ) {
    super(message);
  }
}
