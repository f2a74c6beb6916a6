import type { ServerStage } from "../../call/incoming-call.js";
import { timedCall, timingRequestHeader } from "../../observe/timing.js";
import type { ServedMethod } from "../served-method.js";

/** Measures calls that ask for it, and says in Server-Timing what each part took. Streams say nothing. */
export function timing({ method, service, answersMany }: ServedMethod): ServerStage | undefined {
  if (answersMany) return undefined;
  return (next) => (call) =>
    call.header(timingRequestHeader) === "1"
      ? timedCall(call, service, method.name, async () => next(call))
      : next(call);
}
