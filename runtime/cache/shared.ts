/** A cached row in the tier that processes share, as bytes. */
export interface SharedRow {
  /** Empty if the row does not exist. */
  readonly bytes: Uint8Array;
  /** The remaining time to live in milliseconds. */
  readonly freshMs: number;
}

/** The result of a lookup: a row, a lease to load and fill it, or permission to load it without filling. */
export type SharedLookup = { readonly found: SharedRow } | { readonly lease: string } | undefined;

/**
 * A cache tier that processes share. Operations never fail and never wait for long: an unavailable tier is like an empty one. Only the
 * holder of a row's lease may fill it, and an invalidation revokes the lease, so that a value read before a write is never stored after
 * it.
 */
export interface SharedTier {
  /**
   * @param shape the fingerprint of the value's type: values of other shapes are stored beside it, and never returned
   * @param atLeastMs a row with less time to live counts as missing for the first reader
   */
  read(id: string, shape: string, atLeastMs: number): Promise<SharedLookup>;
  fill(id: string, shape: string, lease: string, found: SharedRow): Promise<void>;
  /** Invalidates rows, in all shapes. Returns false if the tier may still hold them. */
  invalidate(ids: readonly string[]): Promise<boolean>;
  close(): Promise<void>;
}
