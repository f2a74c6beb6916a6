import type { ServerStage } from "../../call/incoming-call.js";
import type { ServedMethod } from "../served-method.js";

/** Ends a call that takes longer than its contract allows. The caller's own deadline holds without it. */
export function deadline({ policy: { timeoutMs } }: ServedMethod): ServerStage | undefined {
  if (timeoutMs === undefined) return undefined;
  return (next) => (call) => {
    call.limit(timeoutMs);
    return next(call);
  };
}
