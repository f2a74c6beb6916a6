import type { ServerStage } from "../call/incoming-call.js";
import { Propagation } from "../call/propagation.js";
import { Connections } from "../client/connections.js";
import { Hosts } from "../config/hosts.js";
import { serverTls } from "../config/tls.js";
import { connectionsOf, renamedTransport } from "../config/transport.js";
import { createLogger, type Logger } from "../observe/log.js";
import { live, type Running } from "../server/process.js";
import type { SubscriptionPolicy } from "../spec/event.js";
import { addressVariable } from "../spec/system.js";
import type { ServiceDefinition } from "./define.js";
import { readServiceEnvironment, type ServiceEnvironment } from "./environment.js";
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
 * to stop. Its configuration is the environment, as the reference of environment variables has it
 * (docs/reference/environment.md). A process whose environment is invalid names every fault and ends.
 */
export async function serve(definition: ServiceDefinition, options: ServeOptions = {}): Promise<void> {
  let log: Logger | undefined;
  await live(
    () => log,
    () => {
      const { env } = process;
      const beside = options.beside?.map(({ spec }) => spec) ?? [];
      const environment = readServiceEnvironment([definition.spec, ...beside], env);
      log = createLogger({ name: definition.spec.name, level: environment.LOG_LEVEL });
      const renamed = renamedTransport(env);
      if (renamed !== undefined) log.warn(renamed);
      return startOnPort(definition, environment, log, options);
    },
  );
}

/** Starts a service on a port, as its environment says. */
async function startOnPort(
  definition: ServiceDefinition,
  environment: ServiceEnvironment,
  log: Logger,
  { migrations: directory, consume, interceptors, beside = [] }: ServeOptions,
): Promise<Running> {
  const connections = new Connections(connectionsOf(environment));
  const service = await startService(definition, {
    log,
    database: databaseOf(environment, directory),
    journal: journalOf(environment),
    broker: environment.BROKER_URL,
    consume,
    propagation: new Propagation(environment.PROPAGATED_HEADERS),
    interceptors,
    sagas: { leaseMs: environment.SAGA_LEASE_MS, retentionMs: hoursInMs(environment.SAGA_RETENTION_H) },
    beside,
    peers: ({ name: own, peers }, local) =>
      Object.fromEntries(
        Object.entries(peers).map(([key, peer]) => [
          key,
          peer.connect(
            peer.name === own
              ? { transport: local }
              : { baseUrl: environment.addresses[addressVariable(peer.name)] as string, connections },
          ),
        ]),
      ),
    open: (assembled) =>
      openPort(assembled, [definition, ...beside], {
        host: environment.HOST,
        port: environment.PORT,
        hosts: Hosts.of(environment.HOST, environment.ALLOWED_HOSTS),
        tls: serverTls(environment),
        transport: environment.RPC_TRANSPORT,
        compressMinBytes: environment.COMPRESS_MIN_BYTES,
        log,
      }),
    drainTimeoutMs: environment.DRAIN_TIMEOUT_MS,
  });
  const { host, port } = service.front;
  log.info({ host, port }, "listening");
  return {
    async stop() {
      await service.stop();
      connections.close();
    },
  };
}

function databaseOf(environment: ServiceEnvironment, directory: URL | undefined) {
  const { DATABASE_URL: url, DATABASE_REPLICA_URLS: replicas = [], CACHE_URL: cache } = environment;
  const migrations = directory && { directory, apply: environment.MIGRATE === true };
  return url === undefined ? undefined : { url, replicas, migrations, cache, watch: true };
}

function journalOf({ JOURNAL_DIR: directory, JOURNAL_MAX_BYTES: maxBytes }: ServiceEnvironment) {
  return directory === undefined || maxBytes === undefined ? undefined : { directory, maxBytes };
}

function hoursInMs(hours: number | undefined): number | undefined {
  return hours === undefined ? undefined : hours * 3_600_000;
}
