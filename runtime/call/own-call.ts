import type { DescMethod, DescService } from "@bufbuild/protobuf";
import type { ConnectError, ContextValues, HandlerContext } from "@connectrpc/connect";

/**
 * A call that our own transport answers. It is a context as Connect's is, but all that a call need not have is made when
 * someone asks for it; and the call ends by itself when its deadline passes or its caller leaves, whatever its handler
 * does then.
 */
export abstract class OwnCall implements HandlerContext {
  abstract readonly method: DescMethod;
  abstract readonly service: DescService;
  abstract readonly signal: AbortSignal;
  abstract readonly timeoutMs: () => number | undefined;
  abstract readonly requestMethod: string;
  abstract readonly requestHeader: Headers;
  abstract readonly responseHeader: Headers;
  abstract readonly responseTrailer: Headers;
  abstract readonly protocolName: string;
  abstract readonly values: ContextValues;
  abstract readonly url: string;

  /** When it must have been answered, in milliseconds since the epoch. */
  abstract readonly deadline: number | undefined;

  /** One request header, without all of them being made. */
  abstract header(name: string): string | undefined;

  /** Ends it with DEADLINE_EXCEEDED after so many milliseconds, if that is before its deadline. */
  abstract limit(timeoutMs: number): void;

  /** Ends it with an error when `signal` is aborted before it is over. */
  abstract endWith(signal: AbortSignal, error: () => ConnectError): void;

  /** Is told why the call ends, if it ends before it is answered. */
  abstract cancelled: ((reason: Error) => void) | undefined;

  /** Has what the handler throws, or returns though it cannot be sent, told as this error. It is not asked once the call is over. */
  abstract explain: (error: unknown) => ConnectError;
}
