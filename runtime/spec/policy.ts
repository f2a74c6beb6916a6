import type { DescService } from "@bufbuild/protobuf";

/** How calls of one method behave, as its contract says. */
export interface MethodPolicy {
  /**
   * The longest that one call may take, in milliseconds, on the caller's side and on the server's. A shorter deadline
   * that came with the call wins. Absent: no bound but the caller's.
   */
  readonly timeoutMs?: number;
  /** The request field (its name in TypeScript) that holds the idempotency key. */
  readonly idempotencyKey?: string;
  /** The request fields (their names in TypeScript) that two calls with the same key may differ in. Default: none. */
  readonly idempotencyIgnores?: readonly string[];
  /** Whether replicas of the database may answer what the method reads. */
  readonly replicas?: boolean;
  /** How a call is answered that meets an outage of the database, and is made later: by which enum field (its name in TypeScript). */
  readonly deferred?: { readonly field: string; readonly value: number };
  /** How its messages are compressed on their way. Absent: as the environment says. */
  readonly compression?: MessageCompression;
}

/** What a contract says of compressing a method's messages. */
export interface MessageCompression {
  /**
   * What clients compress long requests with, and ask responses to be compressed with; `identity`: neither do they, nor does the
   * service compress responses for those who would accept it. Absent: clients do as RPC_COMPRESSION says.
   */
  readonly algorithm?: "identity" | "gzip";
  /** The shortest message that is compressed, in bytes. Absent: 16,384, and for responses COMPRESS_MIN_BYTES. */
  readonly minBytes?: number;
}

/** One policy for each method of a service. */
export type ServicePolicy<S extends DescService = DescService> = {
  readonly [M in keyof S["method"]]: MethodPolicy;
};
