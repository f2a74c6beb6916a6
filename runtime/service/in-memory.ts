import { randomUUID } from "node:crypto";
import type { DescMessage, MessageInitShape } from "@bufbuild/protobuf";
import { createRouterTransport, type Transport } from "@connectrpc/connect";
import { withCodecs } from "../connect/carried.js";
import { openBroker } from "../events/open.js";
import { startEvents } from "../events/start.js";
import { openDeferral } from "../journal/deferral.js";
import { createLogger } from "../observe/log.js";
import { Metrics } from "../observe/metrics.js";
import { openSagas } from "../saga/engine.js";
import { recordRoutes } from "../server/routes.js";
import type { EventType } from "../spec/event.js";
import { assemble, eventService } from "./assemble.js";
import { openServiceData } from "./data.js";
import type { ServiceDefinition } from "./define.js";
import { migrate } from "./migrations.js";

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
  /** What it counts. */
  readonly metrics: Metrics;
  /** Hands it an event, as the broker would, and ends when it is settled. The same `id` twice is the same event. */
  deliver<D extends DescMessage>(event: EventType<D>, message: MessageInitShape<D>, id?: string): Promise<void>;
  close(): Promise<void>;
}

/** Runs a service inside a test: everything is real but the network. */
export async function inMemory(definition: ServiceDefinition, options: InMemoryOptions = {}): Promise<InMemoryService> {
  const { databaseUrl, replicaUrls: replicas, migrations, peers = {}, brokerUrl } = options;
  const { name } = definition.spec;
  if (databaseUrl !== undefined && migrations !== undefined) await migrate({ url: databaseUrl, directory: migrations });
  const metrics = new Metrics(name);
  const opened =
    databaseUrl === undefined ? undefined : openServiceData(definition.spec, { url: databaseUrl, replicas, metrics });
  const data = opened?.data;
  const log = createLogger({ name, level: "silent" });
  const draining = new AbortController();
  const { directory, maxBytes = 2 ** 26 } = options.journal ?? {};
  const deferral = directory === undefined ? undefined : await openDeferral(directory, maxBytes, log, metrics);
  const { sagas: specs } = definition.spec;
  const sagas =
    specs && data
      ? openSagas(specs, definition.sagas, {
          data,
          peers,
          log,
          metrics,
          leaseMs: options.sagaLeaseMs,
          retentionMs: options.sagaRetentionMs,
        })
      : undefined;
  const routes = assemble(definition, { data, peers, log, metrics, sagas, deferral, draining: draining.signal });
  deferral?.start();
  const broker = brokerUrl === undefined ? undefined : await openBroker(brokerUrl, { service: name, log });
  const events =
    opened && startEvents(eventService(definition, { data, peers, sagas }), { ...opened, broker, log, metrics });
  sagas?.start();
  return {
    metrics,
    transport: withCodecs(createRouterTransport((router) => void recordRoutes(routes, router, {}))),
    async deliver(event, message, id = randomUUID()) {
      if (events === undefined) throw new Error(`${name} has no database to take events into`);
      await events.deliver(event, message, id);
    },
    async close() {
      draining.abort();
      await events?.stopConsuming();
      await sagas?.close();
      await deferral?.close();
      await events?.close();
      await data?.close();
    },
  };
}
