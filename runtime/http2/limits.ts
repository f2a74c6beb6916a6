/** Bounds on the memory, work and time that one connection costs. */
export interface Limits {
  /**
   * The number of streams that a peer may have open, and of calls that may still run for it. A gateway's connection carries
   * the calls of all its callers. Default: 10,000.
   */
  readonly maxConcurrentStreams: number;
  /** The size of one decoded header block, as RFC 9113, section 6.5.2 counts it, in bytes. Default: 16 KiB. */
  readonly maxHeaderListSize: number;
  /** The size of one encoded header block, in bytes. Default: 64 KiB. */
  readonly maxHeaderBlockSize: number;
  /** The bytes that a peer may send on one stream before this side has processed them. Default: 256 KiB. */
  readonly streamWindow: number;
  /** The same for all streams of a connection. Default: 4 MiB. */
  readonly connectionWindow: number;
  /**
   * The bytes that may be queued on all streams of a connection: above that no handler starts, and above four times that a
   * response is refused. Default: 16 MiB.
   */
  readonly maxQueuedBytes: number;
  /** The same for all connections of the process: each of them gets no more than is left. Default: 128 MiB. */
  readonly maxQueuedBytesInAll: number;
  /** The bytes of incomplete messages that are kept for all streams of a connection. Default: 32 MiB. */
  readonly maxIncompleteBytes: number;
  /** The same for all connections of the process: above that, the connection that keeps most gives a message up. Default: 256 MiB. */
  readonly maxIncompleteBytesInAll: number;
  /** The time in which a message must arrive, whatever its call's deadline, in milliseconds. Default: 60,000. */
  readonly messageTimeoutMs: number;
  /** The time in which a frame, or a header block of several, must arrive, in milliseconds. Default: 10,000. */
  readonly frameTimeoutMs: number;
  /** The time after which a connection whose peer reads nothing is closed, in milliseconds. Default: 60,000. */
  readonly stallTimeoutMs: number;
  /** The time of silence after which the peer is pinged, in milliseconds. Default: 30,000. */
  readonly pingIntervalMs: number;
  /** The time in which the peer must answer a PING, in milliseconds. Default: 10,000. */
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
