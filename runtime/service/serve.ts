import type { TlsOptions } from "node:tls";
import type { ServerStage } from "../call/incoming-call.js";
import { propagatedHeadersVariable } from "../call/propagation.js";
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
import { brokerUrl } from "../events/broker-url.js";
import { COMPRESS_MIN_BYTES } from "../grpc/gzip.js";
import { createLogger, type Logger, type LogLevel, logLevels } from "../observe/log.js";
import { live, type Running } from "../server/process.js";
import type { SubscriptionPolicy } from "../spec/event.js";
import type { MethodPolicy } from "../spec/policy.js";
import { hasDatabase, hasEvents } from "../spec/service.js";
import { addressVariable } from "../spec/system.js";
import type { ServiceDefinition } from "./define.js";
import { openPort } from "./port.js";
import { startService } from "./start.js";

/** How a service is run. */
export interface ServeOptions {
  /** The folder of its migrations. With MIGRATE=on they are applied at start; otherwise a database that lacks one is refused. */
  readonly migrations?: URL;
  /** What of its subscriptions is to be otherwise than the contract says, by the names of their handlers. */
  readonly consume?: Readonly<Record<string, Partial<SubscriptionPolicy>>>;
  /**
   * What every call goes through before its handler, of whichever protocol it is: the first one is the outermost. They run
   * after the deadline is known, and before the request is validated.
   */
  readonly interceptors?: readonly ServerStage[];
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
      return startOnPort(definition, environment, log, options);
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

/** Starts a service on a port, as its environment says. */
async function startOnPort(
  definition: ServiceDefinition,
  environment: Environment,
  log: Logger,
  { migrations: directory, consume, interceptors, beside = [] }: ServeOptions,
): Promise<Running> {
  const { database: url, replicas, journal, journalMaxBytes, cache, address } = environment;
  const migrations = directory && { directory, apply: environment.migrate };
  const service = await startService(definition, {
    log,
    database: url === undefined ? undefined : { url, replicas, migrations, cache, watch: true },
    journal: journal === undefined ? undefined : { directory: journal, maxBytes: journalMaxBytes },
    broker: environment.broker,
    consume,
    interceptors,
    sagas: { leaseMs: environment.sagaLeaseMs, retentionMs: environment.sagaRetentionMs },
    beside,
    peers: ({ name: own, peers }, local) =>
      Object.fromEntries(
        Object.entries(peers).map(([key, peer]) => [
          key,
          peer.connect(peer.name === own ? { transport: local } : { baseUrl: address(peer.name) }),
        ]),
      ),
    open: (assembled) => openPort(assembled, [definition, ...beside], { ...environment, log }),
    drainTimeoutMs: environment.drainTimeoutMs,
  });
  const { host, port } = service.front;
  log.info({ host, port }, "listening");
  return service;
}
