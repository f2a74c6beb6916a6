import type { TlsOptions } from "node:tls";
import { Code, ConnectError, type ConnectRouter } from "@connectrpc/connect";
import { openRedis } from "../cache/redis.js";
import { propagatedHeadersVariable } from "../call/propagation.js";
import { prepareValidation } from "../call/validate.js";
import {
  bytes,
  flag,
  folder,
  hours,
  httpUrl,
  milliseconds,
  oneOf,
  optional,
  port,
  postgresUrl,
  postgresUrls,
  readEnvironment,
  redisUrl,
  text,
} from "../config/environment.js";
import { allowedHostsVariable, Hosts } from "../config/hosts.js";
import { serverTls, tlsVariables } from "../config/tls.js";
import {
  type RpcTransport,
  renamedTransport,
  rpcCompressionVariable,
  rpcTransportVariable,
} from "../config/transport.js";
import { findPrimary } from "../data/postgres/driver.js";
import { brokerUrl } from "../events/broker-url.js";
import { openBroker } from "../events/open.js";
import { startEvents } from "../events/start.js";
import { COMPRESS_MIN_BYTES } from "../grpc/gzip.js";
import { openDeferral } from "../journal/deferral.js";
import { createLogger, type Logger, type LogLevel, logLevels } from "../observe/log.js";
import { Metrics } from "../observe/metrics.js";
import { Health as HealthService } from "../options/grpc/health/v1/health_pb.js";
import { openSagas } from "../saga/engine.js";
import { answer } from "../server/adapter.js";
import { Health, healthRoutes } from "../server/health.js";
import { listen } from "../server/listen.js";
import { live, type Running } from "../server/process.js";
import { reflectionRoutes } from "../server/reflection.js";
import type { SubscriptionPolicy } from "../spec/event.js";
import type { MethodPolicy } from "../spec/policy.js";
import { hasDatabase, hasEvents, type ServiceSpec } from "../spec/service.js";
import { addressVariable } from "../spec/system.js";
import { assemble, eventService } from "./assemble.js";
import { openServiceData, type ServiceData } from "./data.js";
import type { ServiceDefinition } from "./define.js";
import { localTransport } from "./local.js";
import { migrate, verifyMigrated } from "./migrations.js";
import { canServe, healthPages } from "./readiness.js";

/** How long before its end a drain ends what is still running, so that callers are told instead of cut off. */
const LAST_WORDS_MS = 500;
const MAX_MESSAGE_BYTES = 4 * 1024 * 1024;

/** How a service is run. */
export interface ServeOptions {
  /** The folder of its migrations. With MIGRATE=on they are applied at start; otherwise a database that lacks one is refused. */
  readonly migrations?: URL;
  /** What of its subscriptions is to be otherwise than the contract says, by the names of their handlers. */
  readonly consume?: Readonly<Record<string, Partial<SubscriptionPolicy>>>;
  /** Other services that this process serves, such as another version: without data, events and sagas of their own. */
  readonly beside?: readonly ServiceDefinition[];
}

/**
 * Runs a service as this process: gRPC, gRPC-Web and Connect on one port, with health and reflection, until it is told
 * to stop. Configuration is the environment; all that is wrong with it is said at once.
 *
 *     PORT              where it listens; 0 lets the system choose
 *     HOST              which address it listens on; default 127.0.0.1
 *     ALLOWED_HOSTS     names by which callers may ask for it beside localhost, between commas, where HOST is a loopback address
 *     DATABASE_URL      its PostgreSQL database, if it owns any data
 *     DATABASE_REPLICA_URLS  the same of its replicas, between commas; any of them may be or become the primary
 *     JOURNAL_DIR       a folder of its own for deferred writes, if it has methods that may be deferred
 *     JOURNAL_MAX_BYTES how much may be in it; default 67108864
 *     BROKER_URL        where events are published and consumed, if it does either: postgres://, kafka:// or amqp://
 *     CACHE_URL         a Redis server where instances share cached rows; default: each process has its own cache only
 *     <PEER>_URL        one for each service that it calls: INVENTORY_URL; with TLS where it is an https:// one
 *     TLS_CERT_FILE     its certificate (PEM), with which the port speaks TLS; shown to the services that it calls, too
 *     TLS_KEY_FILE      the key of that
 *     TLS_CLIENT_CA_FILE  who vouches for callers (PEM), who must show a certificate then
 *     TLS_CA_FILE       who vouches for the services that it calls (PEM); default: those whom Node.js knows
 *     MIGRATE           on: apply missing migrations at start; default off
 *     SAGA_LEASE_MS     after how long another instance goes on with the sagas of one that died, in milliseconds; default 3000
 *     SAGA_RETENTION_H  how long sagas are kept once they have ended, in hours; default: as the contract says of each
 *     PROPAGATED_HEADERS  which headers go on to the services that it calls, beside those of the trace, between commas: x-tenant
 *     RPC_TRANSPORT     what carries gRPC: native, or node for connect-node over node:http2; default native
 *     RPC_COMPRESSION   gzip: calls of other services send long messages compressed, and ask for them; default off
 *     COMPRESS_MIN_BYTES  the shortest answer that is compressed for callers who accept that; default 16384
 *     LOG_LEVEL         trace, debug, info, warn, error, fatal or silent; default info
 *     DRAIN_TIMEOUT_MS  how long calls in flight may take at the end, in milliseconds; default 10000
 */
export async function serve(definition: ServiceDefinition, options: ServeOptions = {}): Promise<void> {
  let log: Logger | undefined;
  await live(
    () => log,
    () => {
      const environment = readServiceEnvironment(definition, options.beside ?? []);
      log = createLogger({ name: definition.spec.name, level: environment.level });
      const renamed = renamedTransport(process.env);
      if (renamed !== undefined) log.warn(renamed);
      return start(definition, environment, log, options);
    },
  );
}

interface Environment {
  readonly host: string;
  /** Which hosts may be asked for; undefined: any. */
  readonly hosts: Hosts | undefined;
  readonly port: number;
  readonly database: string | undefined;
  readonly replicas: readonly string[];
  /** Where deferred writes are kept; undefined: it has none. */
  readonly journal: string | undefined;
  readonly journalMaxBytes: number;
  readonly cache: string | undefined;
  readonly broker: string | undefined;
  readonly migrate: boolean;
  /** How long a saga belongs to an instance that does not say again that it does. */
  readonly sagaLeaseMs: number;
  /** How long ended sagas are kept. Undefined: as the contract says. */
  readonly sagaRetentionMs: number | undefined;
  readonly transport: RpcTransport;
  /** The shortest answer that is compressed for those who accept it, in bytes. */
  readonly compressMinBytes: number;
  /** Undefined: without. */
  readonly tls: TlsOptions | undefined;
  readonly level: LogLevel;
  readonly drainTimeoutMs: number;
  /** Where a called service is, by its short name. */
  address(peer: string): string;
}

function readServiceEnvironment({ spec }: ServiceDefinition, beside: readonly ServiceDefinition[]): Environment {
  const peers = [spec, ...beside.map((other) => other.spec)].flatMap((each) => Object.values(each.peers));
  const remote = peers.filter((peer) => peer.name !== spec.name);
  const addresses = remote.map((peer) => [addressVariable(peer.name), httpUrl()] as const);
  const owns = hasDatabase(spec);
  const defers = Object.values(spec.policy).some(({ deferred }: MethodPolicy) => deferred !== undefined);
  const read = readEnvironment({
    ...Object.fromEntries(addresses),
    PORT: port(),
    HOST: text("127.0.0.1"),
    ALLOWED_HOSTS: allowedHostsVariable,
    DATABASE_URL: owns ? postgresUrl() : optional(postgresUrl()),
    DATABASE_REPLICA_URLS: postgresUrls([]),
    JOURNAL_DIR: defers ? folder() : optional(folder()),
    JOURNAL_MAX_BYTES: bytes(2 ** 26),
    BROKER_URL: hasEvents(spec) ? brokerUrl : optional(brokerUrl),
    CACHE_URL: optional(redisUrl()),
    MIGRATE: flag(false),
    SAGA_LEASE_MS: milliseconds(3000),
    SAGA_RETENTION_H: optional(hours()),
    PROPAGATED_HEADERS: propagatedHeadersVariable,
    RPC_TRANSPORT: rpcTransportVariable,
    RPC_COMPRESSION: rpcCompressionVariable,
    COMPRESS_MIN_BYTES: bytes(COMPRESS_MIN_BYTES),
    ...tlsVariables(),
    LOG_LEVEL: oneOf(logLevels, "info"),
    DRAIN_TIMEOUT_MS: milliseconds(10_000),
  });
  return {
    host: read.HOST,
    hosts: Hosts.of(read.HOST, read.ALLOWED_HOSTS),
    port: read.PORT,
    database: owns ? read.DATABASE_URL : undefined,
    replicas: read.DATABASE_REPLICA_URLS,
    journal: defers ? read.JOURNAL_DIR : undefined,
    journalMaxBytes: read.JOURNAL_MAX_BYTES,
    cache: read.CACHE_URL,
    broker: hasEvents(spec) ? read.BROKER_URL : undefined,
    migrate: read.MIGRATE,
    sagaLeaseMs: read.SAGA_LEASE_MS,
    sagaRetentionMs: read.SAGA_RETENTION_H === undefined ? undefined : read.SAGA_RETENTION_H * 3_600_000,
    transport: read.RPC_TRANSPORT,
    compressMinBytes: read.COMPRESS_MIN_BYTES,
    tls: serverTls(read),
    level: read.LOG_LEVEL,
    drainTimeoutMs: read.DRAIN_TIMEOUT_MS,
    address: (peer) => (read as Record<string, unknown>)[addressVariable(peer)] as string,
  };
}

async function start(
  definition: ServiceDefinition,
  environment: Environment,
  log: Logger,
  options: ServeOptions,
): Promise<Running> {
  const { spec } = definition;
  const { database, replicas } = environment;
  const { migrations: directory, beside = [] } = options;
  const all = [definition, ...beside];
  for (const other of beside) checkBeside(spec, other.spec);
  if (database !== undefined && directory !== undefined) {
    const url = await findPrimary({ url: database, replicas, service: spec.name });
    await (environment.migrate ? migrate({ url, directory }) : verifyMigrated({ url, directory }));
  }
  prepareValidation(all.flatMap((each) => each.spec.service.methods.map((method) => method.input)));
  const metrics = new Metrics(spec.name);
  // First, for it may not be to be had.
  const deferral =
    environment.journal === undefined
      ? undefined
      : await openDeferral(environment.journal, environment.journalMaxBytes, log, metrics);
  const opened = database === undefined ? undefined : await open(spec, { ...environment, database }, metrics, log);
  const data = opened?.data;
  const local = localTransport(() => services);
  const peersOf = (each: ServiceSpec) =>
    Object.fromEntries(
      Object.entries(each.peers).map(([name, peer]) => {
        const isLocal = peer.name === spec.name;
        return [name, peer.connect(isLocal ? { transport: local } : { baseUrl: environment.address(peer.name) })];
      }),
    );
  const peers = peersOf(spec);
  const broker =
    environment.broker === undefined ? undefined : await openBroker(environment.broker, { service: spec.name, log });
  const sagas =
    spec.sagas && data
      ? openSagas(spec.sagas, definition.sagas, {
          data,
          peers,
          log,
          metrics,
          leaseMs: environment.sagaLeaseMs,
          retentionMs: environment.sagaRetentionMs,
        })
      : undefined;
  const draining = new AbortController();
  const expired = new AbortController();
  const health = new Health();
  const parts = { log, metrics, draining: draining.signal };
  const assembled = [
    assemble(definition, { ...parts, data, peers, sagas, deferral }),
    ...beside.map((other) => assemble(other, { ...parts, data: undefined, peers: peersOf(other.spec) })),
  ];
  const services = (router: ConnectRouter) => {
    for (const routes of assembled) routes(router);
  };
  const handlers = answer({
    routes(router) {
      services(router);
      healthRoutes(health)(router);
      reflectionRoutes([...all.map((each) => each.spec.service), HealthService])(router);
    },
    readMaxBytes: MAX_MESSAGE_BYTES,
    // As over REST: a field that nobody knows is most often misspelled.
    jsonOptions: { ignoreUnknownFields: false },
    shutdownSignal: expired.signal,
    transport: environment.transport,
    hosts: environment.hosts,
    compressMinBytes: environment.compressMinBytes,
    pages: {
      "/metrics": { contentType: "text/plain; version=0.0.4; charset=utf-8", text: () => metrics.text() },
      ...healthPages(health),
    },
  });
  const listener = await listen({
    ...handlers,
    tls: environment.tls,
    host: environment.host,
    hosts: environment.hosts,
    port: environment.port,
    log,
  });
  for (const each of data === undefined ? all : beside) health.set(each.spec.service.typeName, "SERVING");
  data?.onAvailability((available) => {
    health.setDependency("database", available.primary ? "SERVING" : "NOT_SERVING");
    const serves = canServe(spec, available, deferral !== undefined);
    health.set(spec.service.typeName, serves ? "SERVING" : "NOT_SERVING");
  });
  deferral?.start();
  sagas?.start();
  const events =
    opened === undefined || broker === undefined
      ? undefined
      : startEvents(eventService(definition, { data, peers, sagas }), {
          ...opened,
          broker,
          log,
          metrics,
          overrides: options.consume,
        });
  log.info({ host: listener.host, port: listener.port }, "listening");
  return {
    /**
     * First no new calls and events, then those in flight and the steps of sagas, then what they have published; the
     * database last, for all need it.
     */
    async stop() {
      health.shutdown();
      draining.abort();
      const late = setTimeout(
        () => expired.abort(new ConnectError("the server is shutting down", Code.Unavailable)),
        Math.max(0, environment.drainTimeoutMs - LAST_WORDS_MS),
      );
      const end = performance.now() + environment.drainTimeoutMs;
      await Promise.all([listener.drain(environment.drainTimeoutMs), events?.stopConsuming()]);
      clearTimeout(late);
      await sagas?.close(Math.max(0, end - performance.now()));
      await deferral?.close();
      await events?.close();
      await data?.close();
    },
  };
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

async function open(
  spec: ServiceSpec,
  { database, replicas, cache }: Environment & { readonly database: string },
  metrics: Metrics,
  log: Logger,
): Promise<ServiceData> {
  const isCached = Object.values(spec.entities).some((entity) => entity.cache !== undefined);
  const shared = cache !== undefined && isCached ? await openRedis({ url: cache }) : undefined;
  return openServiceData(spec, { url: database, replicas, shared, watch: true, metrics, log });
}
