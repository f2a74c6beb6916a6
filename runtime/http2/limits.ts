/** What one connection may cost. */
export interface Limits {
  /** How many streams a peer may have open, and how many calls may still run for it: a gateway holds those of all its callers. Default: 10,000. */
  readonly maxConcurrentStreams: number;
  /** The fields of one header block, as RFC 9113, section 6.5.2 counts them, in bytes. Default: 16 KiB. */
  readonly maxHeaderListSize: number;
  /** One header block as it travels, in bytes. Default: 64 KiB. */
  readonly maxHeaderBlockSize: number;
  /** What a peer may send on one stream before this side has taken it, in bytes. Default: 256 KiB. */
  readonly streamWindow: number;
  /** The same for all streams of a connection. Default: 4 MiB. */
  readonly connectionWindow: number;
  /**
   * What may wait to be sent on all streams of a connection, in bytes: above it no handler starts, and above four times
   * that an answer is refused. Default: 16 MiB.
   */
  readonly maxQueuedBytes: number;
  /** The same for all connections of the process: each of them gets no more than is left of it. Default: 128 MiB. */
  readonly maxQueuedBytesInAll: number;
  /** What may be kept of messages that are not complete, of all streams of a connection, in bytes. Default: 32 MiB. */
  readonly maxIncompleteBytes: number;
  /** The same for all connections of the process: above it, that which keeps most has to give some up. Default: 256 MiB. */
  readonly maxIncompleteBytesInAll: number;
  /** How long a message may take to arrive, in milliseconds, whatever its call's deadline. Default: 60,000. */
  readonly messageTimeoutMs: number;
  /** How long a frame, or a header block of several, may take to arrive, in milliseconds. Default: 10,000. */
  readonly frameTimeoutMs: number;
  /** How long a peer may leave everything that is sent to it unread, in milliseconds. Default: 60,000. */
  readonly stallTimeoutMs: number;
  /** After how long a silence the peer is asked whether it is still there, in milliseconds. Default: 30,000. */
  readonly pingIntervalMs: number;
  /** How long it may take to answer, in milliseconds. Default: 10,000. */
  readonly pingTimeoutMs: number;
}

export const defaultLimits: Limits = {
  maxConcurrentStreams: 10_000,
  maxHeaderListSize: 16 * 1024,
  maxHeaderBlockSize: 64 * 1024,
  streamWindow: 256 * 1024,
  connectionWindow: 4 * 1024 * 1024,
  maxQueuedBytes: 16 * 1024 * 1024,
  maxQueuedBytesInAll: 128 * 1024 * 1024,
  maxIncompleteBytes: 32 * 1024 * 1024,
  maxIncompleteBytesInAll: 256 * 1024 * 1024,
  messageTimeoutMs: 60_000,
  frameTimeoutMs: 10_000,
  stallTimeoutMs: 60_000,
  pingIntervalMs: 30_000,
  pingTimeoutMs: 10_000,
};
