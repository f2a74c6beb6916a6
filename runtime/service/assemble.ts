import type { ConnectRouter } from "@connectrpc/connect";
import type { Context } from "../call/context.js";
import type { ServerStage } from "../call/incoming-call.js";
import { type Propagation, propagated } from "../call/propagation.js";
import type { CacheMetrics } from "../data/cache/metrics.js";
import type { Data } from "../data/data.js";
import { standardHandlers } from "../data/standard.js";
import type { Transaction } from "../data/transaction.js";
import type { EventService } from "../events/start.js";
import type { Deferral } from "../journal/deferral.js";
import type { Logger } from "../observe/log.js";
import type { Sagas } from "../saga/engine.js";
import { handlerRoutes } from "../server/handlers.js";
import type { ServedMethod } from "../server/served-method.js";
import type { ServiceDefinition } from "./define.js";

/** What a service stands on. */
export interface Parts {
  /** Its database; undefined for a service that owns nothing. */
  readonly data: Data | undefined;
  /** Clients of the services that it calls, by the names that its handlers use. */
  readonly peers: Readonly<Record<string, unknown>>;
  readonly log: Logger;
  readonly metrics: CacheMetrics;
  /** What runs the sagas that its methods start; undefined: they start none. */
  readonly sagas?: Sagas;
  /** Where writes are taken down that meet an outage of the database; undefined: they fail. */
  readonly deferral?: Deferral;
  /** Aborted when the process begins to drain: streams end then. */
  readonly draining: AbortSignal;
  /** Which headers go on from its calls. Default: those that always do. */
  readonly propagation?: Propagation | undefined;
  /** Stages of the user's own before its handlers. Default: none. */
  readonly interceptors?: readonly ServerStage[] | undefined;
}

/** Puts a service together: its handlers over what they may use, as routes. */
export function assemble(definition: ServiceDefinition, parts: Parts): (router: ConnectRouter) => void {
  const { data, log, draining, propagation, interceptors, deferral } = parts;
  const standard = data === undefined ? {} : standardHandlers(definition.spec.standard, data);
  const handlers = { ...standard, ...definition.implement(resourcesOf(parts), standard) };
  const metrics = data === undefined ? undefined : parts.metrics;
  const defer = deferral && ((served: ServedMethod) => deferral.stage(served));
  return handlerRoutes(definition.spec, handlers, { log, draining, metrics, propagation, interceptors, defer });
}

/** What a service does with the events that it consumes, over what its handlers may use. */
export function eventService(
  { spec, consume, upcasters }: ServiceDefinition,
  parts: Pick<Parts, "data" | "peers" | "sagas">,
): EventService {
  return { spec, handlers: consume?.(resourcesOf(parts)) ?? {}, upcasters };
}

/** What the handlers of a service may use. */
export function resourcesOf({ data, peers, sagas }: Pick<Parts, "data" | "peers" | "sagas">): object {
  const { once, undo } = data ?? {};
  const transaction = data && transactionOf(data);
  return { ...data?.repositories, ...peers, transaction, once, undo, sagas: sagas?.handles ?? {} };
}

type Body = (tx: Transaction<unknown>) => Promise<unknown>;

function transactionOf(data: Data) {
  return (first: Context | Body, body?: Body) => {
    if (typeof first === "function") return data.transaction(first);
    return data.transaction(body!, { trace: () => propagated(first) });
  };
}
