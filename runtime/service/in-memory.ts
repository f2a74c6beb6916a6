import { randomUUID } from "node:crypto";
import type { DescMessage, MessageInitShape } from "@bufbuild/protobuf";
import { type ConnectRouter, createRouterTransport, type Transport } from "@connectrpc/connect";
import type { ServerStage } from "../call/incoming-call.js";
import { Propagation } from "../call/propagation.js";
import { withCodecs } from "../connect/opaque-messages.js";
import { createLogger } from "../observe/log.js";
import type { Exposition } from "../observe/telemetry.js";
import { recordRoutes } from "../server/routes.js";
import type { EventType } from "../spec/event.js";
import type { ServiceDefinition } from "./define.js";
import { startService } from "./start.js";

/** What a service in memory stands on. */
export interface InMemoryOptions {
  /** The URL of its database, if it owns any data. */
  readonly databaseUrl?: string;
  /** The URLs of its database's replicas. */
  readonly replicaUrls?: readonly string[];
  /** A folder of its own for writes that are deferred while the database is away, and how much it takes. Default: they fail. */
  readonly journal?: { readonly directory: string; readonly maxBytes?: number };
  /** Its migrations, applied first. Default: the database has its tables already. */
  readonly migrations?: URL;
  /** In place of the services that it calls, by the names that its handlers use: clients, or objects with the methods that the test needs. */
  readonly peers?: Readonly<Record<string, unknown>>;
  /** The headers that propagate beside those that always do, as PROPAGATED_HEADERS has them, in lower case. Default: none. */
  readonly propagatedHeaders?: readonly string[];
  /** What every call goes through before its handler, as `serve` is given it. */
  readonly interceptors?: readonly ServerStage[];
  /** The broker that it publishes to and consumes from. Default: none; see `deliver`. */
  readonly brokerUrl?: string;
  /** After how long another instance goes on with the sagas of this one, in milliseconds. Default 3000. */
  readonly sagaLeaseMs?: number;
  /** How long ended sagas are kept, in milliseconds. Default: as the contract says. */
  readonly sagaRetentionMs?: number | undefined;
}

/** A service without a port. */
export interface InMemoryService {
  /** For a generated client: `createOrderServiceClient({ transport })`. */
  readonly transport: Transport;
  /** Its metrics, as it exports them: `await metrics.text()`. */
  readonly metrics: Exposition;
  /** Hands it an event, as the broker would, and ends when it is settled. The same `id` twice is the same event. */
  deliver<D extends DescMessage>(event: EventType<D>, message: MessageInitShape<D>, id?: string): Promise<void>;
  close(): Promise<void>;
}

/** Runs a service inside a test: everything is real but the network. */
export async function inMemory(definition: ServiceDefinition, options: InMemoryOptions = {}): Promise<InMemoryService> {
  const { databaseUrl: url, replicaUrls: replicas = [], migrations: directory, peers = {} } = options;
  const { name, consumes } = definition.spec;
  const { directory: journal, maxBytes = 2 ** 26 } = options.journal ?? {};
  const migrations = directory && { directory, apply: true };
  const { front, metrics, events, stop } = await startService(definition, {
    log: createLogger({ name, level: "silent" }),
    database: url === undefined ? undefined : { url, replicas, migrations, cache: undefined, watch: false },
    journal: journal === undefined ? undefined : { directory: journal, maxBytes },
    broker: options.brokerUrl,
    propagation: new Propagation(options.propagatedHeaders),
    interceptors: options.interceptors,
    sagas: { leaseMs: options.sagaLeaseMs, retentionMs: options.sagaRetentionMs },
    peers: () => peers,
    open: async ({ routes }) => ({ transport: transportTo(routes), drain: async () => undefined }),
    drainTimeoutMs: 0,
  });
  return {
    metrics,
    transport: front.transport,
    async deliver(event, message, id = randomUUID()) {
      if (consumes === undefined) throw new Error(`${name} consumes nothing`);
      if (events === undefined) throw new Error(`${name} has no database to take events into`);
      await events.deliver(event, message, id);
    },
    close: stop,
  };
}

function transportTo(routes: (router: ConnectRouter) => void): Transport {
  return withCodecs(createRouterTransport((router) => void recordRoutes(routes, router, {})));
}
