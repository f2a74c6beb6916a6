import type { Handle, IncomingCall, ServerStage } from "../call/incoming-call.js";
import type { Propagation } from "../call/propagation.js";
import type { CacheMetrics } from "../data/cache/metrics.js";
import type { Logger } from "../observe/log.js";
import type { ServedMethod } from "./served-method.js";
import { activeData } from "./stages/active-data.js";
import { deadline } from "./stages/deadline.js";
import { drain } from "./stages/drain.js";
import { errors } from "./stages/errors.js";
import { outputOnly } from "./stages/output-only.js";
import { timing } from "./stages/timing.js";
import { validate } from "./stages/validate.js";

/** What the stages of a service stand on. */
export interface ServerChainOptions {
  readonly log: Logger;
  /** Aborted when the process begins to drain. */
  readonly draining: AbortSignal;
  /** Undefined: the service owns no data. */
  readonly metrics?: CacheMetrics | undefined;
  /** Which headers go on from calls. Default: those that always do. */
  readonly propagation?: Propagation | undefined;
  /** Stages of the user's own, the first one outermost. Default: none. */
  readonly interceptors?: readonly ServerStage[] | undefined;
  /** Returns what puts off the writes of a method while the database is away; undefined for methods that fail then. */
  readonly defer?: ((served: ServedMethod) => ServerStage | undefined) | undefined;
}

/** Puts a method's handler behind all that its calls go through, of whichever protocol they are: the first stage is the outermost. */
export function serverChain(served: ServedMethod, handle: Handle, options: ServerChainOptions): Handle {
  const { log, draining, metrics, interceptors = [], defer } = options;
  const stages = [
    errors(served, log),
    timing(served),
    drain(served, draining),
    deadline(served),
    ...interceptors.map((interceptor) => intercept(served, interceptor)),
    outputOnly(served),
    validate(served),
    defer?.(served),
    metrics && activeData(served, metrics),
  ];
  return stages.reduceRight<Handle>((next, stage) => stage?.(next) ?? next, handle);
}

/** An interceptor may be an async function also where the method streams its responses. */
function intercept({ answersMany }: ServedMethod, interceptor: ServerStage): ServerStage {
  if (!answersMany) return interceptor;
  return (next) => {
    const handle = interceptor(next);
    return (call: IncomingCall) => {
      const responses = handle(call);
      return isIterable(responses) ? responses : each(responses as Promise<AsyncIterable<unknown>>);
    };
  };
}

function isIterable(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === "object" && value !== null && Symbol.asyncIterator in value;
}

async function* each<T>(messages: Promise<AsyncIterable<T>>): AsyncIterable<T> {
  yield* await messages;
}
