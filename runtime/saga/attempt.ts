import type { Message } from "@bufbuild/protobuf";
import type { CallOptions } from "@connectrpc/connect";
import type { StepSpec } from "../spec/saga.js";
import type { SagaDependencies } from "./progress.js";
import type { SagaRow } from "./store.js";

/**
 * Calls a step's method, or the one that compensates it, once.
 *
 * @param leftMs the time that the saga has left. Default: no bound
 */
export function attempt(
  step: StepSpec,
  method: StepSpec["call"],
  request: Message,
  row: SagaRow,
  { peers, signal }: SagaDependencies,
  leftMs = Number.POSITIVE_INFINITY,
): Promise<Message> {
  const peer = peers[step.peer] as Record<string, (request: Message, options: CallOptions) => Promise<Message>>;
  const longestMs = Math.min(leftMs, step.timeoutMs ?? Number.POSITIVE_INFINITY);
  const timeoutMs = Number.isFinite(longestMs) ? Math.max(1, Math.ceil(longestMs)) : undefined;
  const run = peer[method.localName];
  if (run === undefined) throw new Error(`${step.peer} has no ${method.localName}`);
  return run(request, { signal, timeoutMs, headers: row.trace ?? {} });
}
