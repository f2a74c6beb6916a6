import type { ConnectError } from "@connectrpc/connect";
import type { FastifyReply } from "fastify";
import { onAbort } from "../call/on-abort.js";
import { errorFor } from "../errors/error.js";

/** Returns the error for calls without a deadline when the process drains. */
export function drainingError(): ConnectError {
  return errorFor("SERVER_DRAINING", "the gateway is stopping: call again, and another one answers");
}

/** Returns a signal that aborts if `draining` does, or if the caller cancels the request. Calls `cancelled` in the latter case. */
export function cancellationSignal(
  reply: FastifyReply,
  draining: AbortSignal | undefined,
  cancelled: () => void,
): AbortSignal {
  const controller = new AbortController();
  const onDrain = () => controller.abort(drainingError());
  if (draining?.aborted) onDrain();
  const forget = draining && onAbort(draining, onDrain);
  reply.raw.once("close", () => {
    forget?.();
    if (reply.raw.writableFinished) return;
    controller.abort(errorFor("CALL_CANCELLED", "the caller has left"));
    cancelled();
  });
  return controller.signal;
}
