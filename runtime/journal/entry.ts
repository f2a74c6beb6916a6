/** A call that was taken down. */
export interface Entry {
  /** Grows in the order in which calls came. */
  readonly id: number;
  /** The method's name in the contract. */
  readonly method: string;
  readonly key: string;
  /** A digest of the request without its key, in base64. */
  readonly fingerprint: string;
  /** The request, as binary protobuf in base64. */
  readonly request: string;
  /** The headers that go on from hop to hop. */
  readonly headers: Readonly<Record<string, string>>;
  /** When it came, in RFC 3339. */
  readonly at: string;
}
