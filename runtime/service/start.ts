import type { ConnectRouter, Transport } from "@connectrpc/connect";
import { openRedis } from "../cache/redis.js";
import type { ServerStage } from "../call/incoming-call.js";
import type { Propagation } from "../call/propagation.js";
import { prepareValidation } from "../call/validate.js";
import type { Data } from "../data/data.js";
import { findPrimary } from "../data/postgres/driver.js";
import type { PostgresMetrics } from "../data/postgres/metrics.js";
import type { Broker } from "../events/broker.js";
import { openBroker } from "../events/open.js";
import { type Events, startEvents } from "../events/start.js";
import { type Deferral, openDeferral } from "../journal/deferral.js";
import type { Logger } from "../observe/log.js";
import { createTelemetry } from "../observe/prometheus.js";
import type { Exposition } from "../observe/telemetry.js";
import { openSagas, type Sagas } from "../saga/engine.js";
import { Health } from "../server/health.js";
import type { SubscriptionPolicy } from "../spec/event.js";
import { hasDatabase, hasEvents, type ServiceSpec } from "../spec/service.js";
import { addressVariable } from "../spec/system.js";
import { assemble, eventService } from "./assemble.js";
import { openServiceData, type ServiceData } from "./data.js";
import type { ServiceDefinition } from "./define.js";
import { localTransport } from "./local.js";
import { ServiceMetrics } from "./metrics.js";
import { migrate, verifyMigrated } from "./migrations.js";
import { canServe } from "./readiness.js";

/** What a service is started of. `serve` and `inMemory` differ in this alone. */
export interface StartOptions<F extends Front> {
  readonly log: Logger;
  /** Undefined: it has none. */
  readonly database: DatabaseOptions | undefined;
  /** Where deferred writes are kept. Undefined: writes that meet an outage fail. */
  readonly journal: { readonly directory: string; readonly maxBytes: number } | undefined;
  /** The broker that it publishes to and consumes from. Undefined: none. */
  readonly broker: string | undefined;
  /** What of its subscriptions differs from the contract, by the names of their handlers. */
  readonly consume?: Readonly<Record<string, Partial<SubscriptionPolicy>>> | undefined;
  /** When another instance takes over sagas of this one, and how long ended ones are kept. */
  readonly sagas: { readonly leaseMs: number | undefined; readonly retentionMs: number | undefined };
  /** Which headers go on from its calls and events. Default: those that always do. */
  readonly propagation?: Propagation | undefined;
  /** What every call goes through before its handler, the first one outermost. Default: nothing of the user's own. */
  readonly interceptors?: readonly ServerStage[] | undefined;
  /** Other services of the same process, without data, events and sagas of their own. */
  readonly beside?: readonly ServiceDefinition[] | undefined;
  /**
   * Returns the clients of the services that `spec` calls, by the names that its handlers use.
   *
   * @param local calls the services of this process
   */
  peers(spec: ServiceSpec, local: Transport): Readonly<Record<string, unknown>>;
  /** Opens the front. Nothing runs in the background yet. */
  open(service: AssembledService): Promise<F>;
  /** How long calls in flight and steps of sagas may take at the end, in milliseconds. */
  readonly drainTimeoutMs: number;
}

/** A service's database, and what is done with it first. */
export interface DatabaseOptions {
  readonly url: string;
  readonly replicas: readonly string[];
  /** The migrations that it must have; `apply`: those that it lacks are applied. Undefined: it is taken as it is. */
  readonly migrations: { readonly directory: URL; readonly apply: boolean } | undefined;
  /** A Redis server where instances share cached rows. Undefined: each has its own cache only. */
  readonly cache: string | undefined;
  /** Whether it is looked at while nothing is wrong, for health to tell. */
  readonly watch: boolean;
}

/** Where calls come in. */
export interface Front {
  /** Takes no more calls, and ends when those in flight have ended, or been cut after `timeoutMs`. */
  drain(timeoutMs: number): Promise<void>;
}

/** A service whose handlers can be called. */
export interface AssembledService {
  readonly routes: (router: ConnectRouter) => void;
  readonly health: Health;
  readonly metrics: Exposition;
}

/** A service that runs. */
export interface StartedService<F extends Front> {
  readonly front: F;
  readonly metrics: Exposition;
  /** Undefined if it publishes and consumes nothing, or has no database. */
  readonly events: Events | undefined;
  /**
   * Takes no more calls and events, ends those in flight and the steps of sagas, publishes what is left, and closes the
   * database last, which all of these need.
   */
  stop(): Promise<void>;
}

/**
 * Starts a service. If that fails, everything opened by then is closed.
 *
 * @throws Error if messages have rules that do not compile, the journal or the front cannot be opened, or a part is missing
 */
export async function startService<F extends Front>(
  definition: ServiceDefinition,
  options: StartOptions<F>,
): Promise<StartedService<F>> {
  const { spec } = definition;
  const { log, database, journal, sagas: sagaOptions, propagation, interceptors, beside = [] } = options;
  const all = [definition, ...beside];
  for (const other of beside) checkBeside(spec, other.spec);
  // Check the rules before the database is migrated: a contract that cannot be served must change nothing.
  prepareValidation(all.flatMap((each) => each.spec.service.methods.map((method) => method.input)));
  if (database !== undefined) await prepareDatabase(spec, database);
  const telemetry = createTelemetry(spec.name);
  const metrics = new ServiceMetrics(telemetry);
  const health = new Health();
  const draining = new AbortController();
  let deferral: Deferral | undefined;
  let opened: ServiceData | undefined;
  let broker: Broker | undefined;
  let sagas: Sagas | undefined;
  let front: F | undefined;
  let events: Events | undefined;
  try {
    // Open the journal first: another process may hold its lock.
    if (journal !== undefined) deferral = await openDeferral(journal.directory, journal.maxBytes, log, metrics.journal);
    if (database !== undefined) opened = await openDatabase(spec, database, metrics.database, log);
    const data = opened?.data;
    const local = localTransport(() => routes);
    const peers = options.peers(spec, local);
    if (options.broker !== undefined) broker = await openBroker(options.broker, { service: spec.name, log });
    if (spec.sagas !== undefined && data !== undefined) {
      sagas = openSagas(spec.sagas, definition.sagas, { data, peers, log, metrics: metrics.sagas, ...sagaOptions });
    }
    const parts = { log, metrics: metrics.cache, draining: draining.signal, propagation, interceptors };
    const assembled = [
      assemble(definition, { ...parts, data, peers, sagas, deferral }),
      ...beside.map((other) => assemble(other, { ...parts, data: undefined, peers: options.peers(other.spec, local) })),
    ];
    const routes = (router: ConnectRouter) => {
      for (const register of assembled) register(router);
    };
    // Between the first connection and the first answer of the database nothing is ready.
    for (const each of all) health.set(each.spec.service.typeName, "NOT_SERVING");
    front = await options.open({ routes, health, metrics: telemetry });
    for (const each of data === undefined ? all : beside) health.set(each.spec.service.typeName, "SERVING");
    if (data !== undefined) followAvailability(spec, data, health, deferral !== undefined);
    deferral?.start();
    sagas?.start();
    if (opened !== undefined && hasEvents(spec)) {
      const service = eventService(definition, { data, peers, sagas });
      events = startEvents(service, {
        ...opened,
        broker,
        log,
        metrics: metrics.events,
        propagation,
        overrides: options.consume,
      });
    }
  } catch (error) {
    await stop(0).catch((err: unknown) => log.debug({ err }, "a service that did not start could not be closed"));
    throw error;
  }
  return { front, metrics: telemetry, events, stop: () => stop(options.drainTimeoutMs) };

  async function stop(timeoutMs: number): Promise<void> {
    const end = performance.now() + timeoutMs;
    health.shutdown();
    draining.abort();
    await Promise.all([front?.drain(timeoutMs), events?.stopConsuming()]);
    await sagas?.close(Math.max(0, end - performance.now()));
    await deferral?.close();
    await (events ?? broker)?.close();
    await opened?.data.close();
  }
}

/** A process has one database, one group of events and one address. */
function checkBeside(main: ServiceSpec, other: ServiceSpec): void {
  const { typeName } = other.service;
  if (other.name !== main.name) {
    throw new Error(
      `${typeName} is called "${other.name}", and nobody would look for it at ${addressVariable(main.name)}: name both services "${main.name}" in package.json, "scaffold": {"names": {"${typeName}": "${main.name}", …}}`,
    );
  }
  if (hasDatabase(other) || other.sagas !== undefined) {
    throw new Error(
      `${typeName} has data, events or sagas of its own, so it is the service that others stand beside: serve(it, { beside: [${main.service.name}] })`,
    );
  }
}

async function prepareDatabase({ name }: ServiceSpec, { url, replicas, migrations }: DatabaseOptions): Promise<void> {
  if (migrations === undefined) return;
  const { directory, apply } = migrations;
  const primary = await findPrimary({ url, replicas, service: name });
  await (apply ? migrate({ url: primary, directory }) : verifyMigrated({ url: primary, directory }));
}

async function openDatabase(
  spec: ServiceSpec,
  { url, replicas, cache, watch }: DatabaseOptions,
  metrics: PostgresMetrics,
  log: Logger,
): Promise<ServiceData> {
  const isCached = Object.values(spec.entities).some((entity) => entity.cache !== undefined);
  const shared = cache !== undefined && isCached ? await openRedis({ url: cache }) : undefined;
  return openServiceData(spec, { url, replicas, shared, watch, metrics, log });
}

/** Has health follow whether the database answers. */
function followAvailability(spec: ServiceSpec, data: Data, health: Health, defers: boolean): void {
  data.onAvailability((available) => {
    health.setDependency("database", available.primary ? "SERVING" : "NOT_SERVING");
    health.set(spec.service.typeName, canServe(spec, available, defers) ? "SERVING" : "NOT_SERVING");
  });
}
