import { Code, ConnectError } from "@connectrpc/connect";
import type { ServerStage } from "../../call/incoming-call.js";
import { LoneSurrogateError } from "../../codec/lone-surrogate.js";
import { errorFor } from "../../errors/error.js";
import type { Logger } from "../../observe/log.js";
import type { ServedMethod } from "../served-method.js";

/**
 * Turns what a handler throws into the caller's error. An error that nobody foresaw is logged, and the caller is told no
 * more than that it is INTERNAL.
 */
export function errors(served: ServedMethod, log: Logger): ServerStage {
  const explain = explainer(served, log);
  return (next) => (call) => {
    call.explain = explain;
    return next(call);
  };
}

/** Returns what turns an error of a method into its caller's. */
export function explainer({ method }: ServedMethod, log: Logger): (error: unknown) => ConnectError {
  return (error) => {
    const isForeseen = error instanceof ConnectError && error.code !== Code.Internal && error.code !== Code.Unknown;
    if (isForeseen) return error;
    log.error({ err: error, method: method.toString() }, "a handler failed");
    // Names a field, and no value.
    if (error instanceof LoneSurrogateError) {
      return errorFor("RESPONSE_INVALID", error.message, { cause: error });
    }
    return error instanceof ConnectError ? error : errorFor("HANDLER_FAILED", "internal error", { cause: error });
  };
}
