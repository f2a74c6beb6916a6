import { type CallOptions, Code, ConnectError } from "@connectrpc/connect";
import type { Context } from "../call/context.js";
import { propagated } from "../call/propagation.js";
import { activeTiming, timingHeader, timingRequestHeader } from "../observe/timing.js";
import type { MethodPolicy } from "../spec/policy.js";

/**
 * The options of one call: the time that is left of the caller's deadline or of the contract's, whichever is less, the
 * caller's cancellation, and what goes on to the next hop. Throws DEADLINE_EXCEEDED if no time is left.
 */
export function callOptions(path: string, policy: MethodPolicy, given: Context | CallOptions = {}): CallOptions {
  const options = isContext(given) ? fromContext(given) : given;
  const left = isContext(given) ? options.timeoutMs : withDeadline(options.timeoutMs);
  if (left === 0) throw new ConnectError(`no time is left to call ${path}`, Code.DeadlineExceeded);
  const timeoutMs = left === undefined ? policy.timeoutMs : wholeMs(Math.min(left, policy.timeoutMs ?? left));
  const timing = activeTiming();
  if (!timing) return { ...options, timeoutMs };
  const headers = new Headers(options.headers);
  headers.set(timingRequestHeader, "1");
  const onHeader = (header: Headers) => {
    timing.add(header.get(timingHeader));
    options.onHeader?.(header);
  };
  return { ...options, timeoutMs, headers, onHeader };
}

/** A timeout as protocols take it: whole milliseconds, and no more than there are. To Connect 0 would mean no deadline. */
export function wholeMs(timeoutMs: number): number {
  return Math.max(1, Math.floor(timeoutMs));
}

function fromContext(context: Context): CallOptions {
  const headers = new Headers(propagated(context.requestHeader));
  return { signal: context.signal, timeoutMs: context.timeoutMs(), headers };
}

function isContext(given: Context | CallOptions): given is Context {
  return "requestHeader" in given;
}

/** To Connect, 0 and less mean "no deadline"; the contract's holds nevertheless. */
function withDeadline(timeoutMs: number | undefined): number | undefined {
  return timeoutMs !== undefined && timeoutMs > 0 ? timeoutMs : undefined;
}
