/** A deferred call. */
export interface JournalEntry {
  /** Ids ascend in the order in which calls arrived. */
  readonly id: number;
  /** The method's full name in the contract. */
  readonly method: string;
  readonly key: string;
  /** A digest of the request without its idempotency key, in base64. */
  readonly fingerprint: string;
  /** The request in Protobuf's wire format, in base64. */
  readonly request: string;
  /** The headers that are propagated to downstream calls. */
  readonly headers: Readonly<Record<string, string>>;
  /** The time at which the call arrived, in RFC 3339. */
  readonly at: string;
}
