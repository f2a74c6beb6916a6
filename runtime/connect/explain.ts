import { Code, ConnectError, type ContextKey, createContextKey } from "@connectrpc/connect";

/**
 * What turns an error of a call that Connect answers into the one for the caller: a service's writes down what nobody foresaw.
 * Asked for what fails after the handler, such as an answer that is no message. Default: INTERNAL with the error's text.
 */
export const explains: ContextKey<(error: unknown) => ConnectError> = createContextKey((error: unknown) =>
  ConnectError.from(error, Code.Internal),
);
