/** The length of the prefix of a gRPC-Web or Connect stream's frame: one byte of flags, and four of the length. */
const prefixLength = 5;

/** Follows a body of length-prefixed frames, to tell whether its last frame is complete. */
export class FrameTracker {
  private readonly prefix = Buffer.alloc(prefixLength);
  private prefixFilled = 0;
  private payloadLeft = 0;

  /** Whether all frames so far are complete. */
  get betweenFrames(): boolean {
    return this.prefixFilled === 0 && this.payloadLeft === 0;
  }

  push(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.length; ) {
      if (this.payloadLeft > 0) {
        const taken = Math.min(this.payloadLeft, chunk.length - at);
        this.payloadLeft -= taken;
        at += taken;
        continue;
      }
      this.prefix[this.prefixFilled++] = chunk[at++]!;
      if (this.prefixFilled === prefixLength) {
        this.payloadLeft = this.prefix.readUInt32BE(1);
        this.prefixFilled = 0;
      }
    }
  }
}
