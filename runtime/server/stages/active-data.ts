import type { DescMessage, Message } from "@bufbuild/protobuf";
import { ActiveCall, runAs, staleAgeHeader } from "../../call/active-call.js";
import type { IncomingCall, ServerStage } from "../../call/incoming-call.js";
import type { CacheMetrics } from "../../data/cache/metrics.js";
import type { ServedMethod } from "../served-method.js";

/** Tells the data behind a handler for which call it works: its deadline, its end, whether replicas may answer. */
export function activeData(served: ServedMethod, metrics: CacheMetrics): ServerStage {
  const { method, takesMany, answersMany } = served;
  return (next) => (call) => {
    const active = activeCallOf(served, call, metrics);
    call.cancelled = (reason) => active.cancel(reason);
    if (takesMany) call.request = eachNoted(method.input, call.request as AsyncIterable<Message>, active);
    const response = runAs(active, () => next(call));
    return answersMany ? steppedAs(active, response as AsyncIterable<unknown>) : response;
  };
}

function activeCallOf(
  { method, policy, takesMany, answersMany }: ServedMethod,
  call: IncomingCall,
  metrics: CacheMetrics,
) {
  const { context } = call;
  const now = performance.now();
  const leftMs = context.timeoutMs();
  let oldestMs = -1;
  return new ActiveCall({
    request: takesMany ? undefined : { schema: method.input, message: call.request as Message },
    replicas: policy.replicas === true,
    deadline: leftMs === undefined ? undefined : now + leftMs,
    // A call that has waited in vain needs time for something else.
    patientUntil: leftMs === undefined ? undefined : now + leftMs / 2,
    stale(ageMs) {
      if (oldestMs < 0) metrics.staleResponses.add();
      oldestMs = Math.max(oldestMs, Math.ceil(ageMs));
      context.responseHeader.set(staleAgeHeader, String(oldestMs));
      // The headers of a stream may have gone already.
      if (answersMany) context.responseTrailer.set(staleAgeHeader, String(oldestMs));
    },
  });
}

/** Has the data know each request while the handler works on it. */
async function* eachNoted(
  schema: DescMessage,
  requests: AsyncIterable<Message>,
  active: ActiveCall,
): AsyncIterable<Message> {
  for await (const message of requests) {
    active.request = { schema, message };
    yield message;
  }
}

/** Has each step of a stream run as part of the call: a generator runs as part of the code that asks it. */
function steppedAs<T>(call: ActiveCall, messages: AsyncIterable<T>): AsyncIterable<T> {
  return {
    [Symbol.asyncIterator]() {
      const iterator = messages[Symbol.asyncIterator]();
      return {
        next: () => runAs(call, () => iterator.next()),
        return: async () => (await runAs(call, () => iterator.return?.())) ?? { done: true, value: undefined },
      };
    },
  };
}
