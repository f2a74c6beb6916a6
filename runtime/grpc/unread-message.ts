import type { ConnectError } from "@connectrpc/connect";
import type { Codec } from "../codec/codec.js";
import { type Blame, readMessage, readMessageInTurns } from "./frame.js";
import { unpack } from "./unpack.js";

/** How the messages of one side of a call are read. */
export interface MessageFormat {
  readonly codec: Codec;
  /** The length of the longest message, in bytes. */
  readonly maxBytes: number;
  readonly blame: Blame;
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
 * A message that has arrived and is not decoded yet: one that is compressed, which takes no more memory than its stream's window allows
 * until it is read, or a long one.
 */
export class UnreadMessage {
  constructor(
    private readonly bytes: Uint8Array,
    private readonly isCompressed: boolean,
    private readonly format: MessageFormat,
  ) {}

  /** Returns the message. Throws the call's error if it cannot be decompressed or decoded. */
  async read(): Promise<unknown> {
    const { codec, maxBytes, blame, unreadable } = this.format;
    try {
      const bytes = this.isCompressed ? await unpack("gzip", this.bytes, maxBytes, blame) : this.bytes;
      if (isLong(bytes.length)) return await readMessageInTurns(codec, bytes, blame);
      return readMessage(codec, bytes, 0, bytes.length, blame);
    } catch (error) {
      throw unreadable(error);
    }
  }
}
