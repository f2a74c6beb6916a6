import type { ConnectError } from "@connectrpc/connect";
import type { FastifyReply } from "fastify";
import { onAbort } from "../call/on-abort.js";
import { errorFor } from "../errors/error.js";

/** The error for callers of unbounded calls when the process shuts down. */
export function stopping(): ConnectError {
  return errorFor("SERVER_DRAINING", "the gateway is stopping: call again, and another one answers");
}

/** Returns a signal that aborts when `draining` does, or when the caller leaves early, after which `left` is called. */
export function hangUpSignal(reply: FastifyReply, draining: AbortSignal | undefined, left: () => void): AbortSignal {
  const controller = new AbortController();
  const onDrain = () => controller.abort(stopping());
  if (draining?.aborted) onDrain();
  const forget = draining && onAbort(draining, onDrain);
  reply.raw.once("close", () => {
    forget?.();
    if (reply.raw.writableFinished) return;
    controller.abort(errorFor("CALL_CANCELED", "the caller has left"));
    left();
  });
  return controller.signal;
}
