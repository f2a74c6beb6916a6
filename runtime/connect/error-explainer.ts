import { Code, ConnectError, type ContextKey, createContextKey } from "@connectrpc/connect";

/**
 * The context key of the function that converts an error into the caller's error. It is used for errors after the handler, such
 * as a response that cannot be encoded. A service's function logs unexpected errors. Default: INTERNAL with the error's text.
 */
export const errorExplainer: ContextKey<(error: unknown) => ConnectError> = createContextKey((error: unknown) =>
  ConnectError.from(error, Code.Internal),
);
