import type { ConnectError } from "@connectrpc/connect";
import type { Codec } from "../codec/codec.js";
import { type Blame, readMessage } from "./frame.js";
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

/** A message that has arrived compressed. Until it is read it takes no more memory than its stream's window allows. */
export class CompressedMessage {
  constructor(
    private readonly bytes: Uint8Array,
    private readonly format: MessageFormat,
  ) {}

  /** Returns the message. Throws the call's error if it cannot be read. */
  async decompress(): Promise<unknown> {
    const { codec, maxBytes, blame, unreadable } = this.format;
    try {
      const whole = await unpack("gzip", this.bytes, maxBytes, blame);
      return readMessage(codec, whole, 0, whole.length, blame);
    } catch (error) {
      throw unreadable(error);
    }
  }
}
