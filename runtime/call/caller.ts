/** Who calls, as a stage before the handler found out. */
export interface Caller {
  /** Names the caller: a token's `sub`, a SPIFFE id. */
  readonly subject: string;
  /** What else is known of it: a token's claims, say. */
  readonly claims?: Readonly<Record<string, unknown>>;
}
