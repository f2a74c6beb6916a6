import type { ConnectError } from "@connectrpc/connect";
import type { ServerStage } from "../../call/incoming-call.js";
import { errorFor } from "../../errors/error.js";
import type { ServedMethod } from "../served-method.js";

/** Ends streams with UNAVAILABLE when the process begins to drain: they might go on for ever. */
export function drain({ answersMany }: ServedMethod, draining: AbortSignal): ServerStage | undefined {
  if (!answersMany) return undefined;
  return (next) => (call) => {
    call.endWith(draining, shuttingDown);
    return next(call);
  };
}

function shuttingDown(): ConnectError {
  return errorFor("SERVER_DRAINING", "the server is shutting down: call again");
}
