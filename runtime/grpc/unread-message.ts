import type { ConnectError } from "@connectrpc/connect";
import type { Codec } from "../codec/codec.js";
import { decompress } from "./decompress.js";
import { type MalformedCode, readMessage, readMessageInTurns } from "./frame.js";

/** The format of the messages that one side of a call reads. */
export interface MessageFormat {
  readonly codec: Codec;
  /** The maximum size of a message, in bytes. */
  readonly maxBytes: number;
  readonly malformedCode: MalformedCode;
  /** Whether messages may be compressed with gzip. */
  readonly isGzip: boolean;
  /** Returns the call's error for a message that cannot be decompressed or decoded. */
  readonly unreadable: (error: unknown) => ConnectError;
}

/** Messages longer than this are decoded in several turns of the event loop, in bytes. */
const LONG = 256 * 1024;

/** Returns whether a message of this size is decoded in several turns. */
export function isLong(bytes: number): boolean {
  return bytes > LONG;
}

/**
 * A message that has arrived and is decoded when it is read: a compressed message, which until then takes no more memory than
 * the window of its stream, or a long one, which is decoded in several turns of the event loop.
 */
export class UnreadMessage {
  constructor(
    private readonly bytes: Uint8Array,
    private readonly isCompressed: boolean,
    private readonly format: MessageFormat,
  ) {}

  /** Returns the message. Throws the call's error if it cannot be decompressed or decoded. */
  async read(): Promise<unknown> {
    const { codec, maxBytes, malformedCode, unreadable } = this.format;
    try {
      const bytes = this.isCompressed ? await decompress("gzip", this.bytes, maxBytes, malformedCode) : this.bytes;
      if (isLong(bytes.length)) return await readMessageInTurns(codec, bytes, malformedCode);
      return readMessage(codec, bytes, 0, bytes.length, malformedCode);
    } catch (error) {
      throw unreadable(error);
    }
  }
}
