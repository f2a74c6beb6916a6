/** A cached row of a tier that processes share, as bytes. */
export interface Found {
  /** Empty: there is no such row. */
  readonly bytes: Uint8Array;
  /** How much longer it is fresh, in milliseconds. */
  readonly freshMs: number;
}

/** What a shared tier says to a reader: here it is; load it, and fill with this lease; load it, and fill nothing. */
export type Answer = { readonly found: Found } | { readonly lease: string } | undefined;

/**
 * Where processes share cached rows. Nothing here fails or waits for long: a tier that does not answer is one that knows
 * nothing. Only whoever holds the lease of a row may fill it, and an invalidation takes the lease away, so that what was
 * read before a write never comes after it.
 */
export interface SharedTier {
  /**
   * @param shape fingerprint of the value's type: other shapes are kept beside it, and never read
   * @param atLeastMs a row with less time left counts as gone for the first who asks
   */
  read(id: string, shape: string, atLeastMs: number): Promise<Answer>;
  fill(id: string, shape: string, lease: string, found: Found): Promise<void>;
  /** Forgets rows, in all shapes. False: it may still hold them. */
  invalidate(ids: readonly string[]): Promise<boolean>;
  close(): Promise<void>;
}
