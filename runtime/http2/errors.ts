/** Error codes of RST_STREAM and GOAWAY (RFC 9113, section 7). */
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

/** Returns the name that RFC 9113 gives an error code, or the number in hexadecimal if it has none. */
export function errorName(code: number): string {
  return names.get(code) ?? `0x${code.toString(16)}`;
}

/** A connection error (RFC 9113, section 5.4.1): GOAWAY carries its code and message, and the connection closes. */
export class ConnectionFault extends Error {
  override readonly name = "ConnectionFault";

  constructor(
    readonly code: number,
    message: string,
  ) {
    super(message);
  }
}

/** Returns a connection error for frames that break the protocol. */
export function protocolError(message: string): ConnectionFault {
  return new ConnectionFault(ErrorCode.PROTOCOL_ERROR, message);
}

/** Returns a connection error for a frame whose length its type does not allow. */
export function frameSizeError(type: string): ConnectionFault {
  return new ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, `a ${type} frame of a wrong length`);
}

/** Returns a connection error for a window that outgrows 31 bits. */
export function windowOverflow(window: string): ConnectionFault {
  return new ConnectionFault(ErrorCode.FLOW_CONTROL_ERROR, `${window} is above 2^31 - 1`);
}
