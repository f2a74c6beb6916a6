import type { DescMethod } from "@bufbuild/protobuf";
import { withFailure } from "../../call/failure.js";
import { pathOf } from "../../call/incoming-call.js";
import { errorFor } from "../../errors/error.js";
import type { ClientStage } from "../outgoing-call.js";

/**
 * Has calls take no longer than the contract says. A call for which its caller has no time left is not made.
 *
 * @param timeoutMs undefined: forever
 */
export function deadline(method: DescMethod, timeoutMs: number | undefined): ClientStage {
  const path = pathOf(method);
  return (next) => (call) => {
    if (call.timeoutMs === 0) {
      throw withFailure("timeout", errorFor("DEADLINE_EXCEEDED", `no time is left to call ${path}`));
    }
    call.limit(timeoutMs);
    return next(call);
  };
}
