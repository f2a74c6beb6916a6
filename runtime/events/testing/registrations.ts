import type { ProductRepository } from "@shop/generated/shop/inventory/v1/inventory_repository.js";
import { productEntity } from "@shop/generated/shop/inventory/v1/inventory_repository.js";
import { userRegistered } from "@shop/generated/shop/users/v1/users_events.js";
import { type UserRegisteredSchema, UserService } from "@shop/generated/shop/users/v1/users_pb.js";
import { testDatabase } from "../../../generator/testing/database.js";
import { createTables, execute } from "../../../generator/testing/tables.js";
import type { Data } from "../../data/data.js";
import { createLogger, type Logger } from "../../observe/log.js";
import { createTelemetry } from "../../observe/prometheus.js";
import type { Exposition } from "../../observe/telemetry.js";
import { defineService } from "../../service/define.js";
import { runtimeTables } from "../../service/migrations.js";
import type { EventType, SubscriptionSpec } from "../../spec/event.js";
import type { Broker } from "../broker.js";
import type { ConsumerContext, Delivery } from "../delivery.js";
import { EventMetrics } from "../metrics.js";
import type { MissingTimes } from "../missing.js";
import { type Outbox, openPublishing } from "../outbox.js";
import { type Events, startEvents } from "../start.js";

/** What a group of these tests has: rows of products, which say what it handled. */
interface Entities {
  readonly products: ProductRepository;
}
export type Registered = typeof UserRegisteredSchema;
export type RegistrationData = Data<Entities, Registered> & { readonly outbox: Outbox };
export type RegistrationHandler = (
  delivery: Delivery<Registered>,
  context: ConsumerContext<Entities, Registered>,
) => Promise<void> | void;

/** A database for what publishes registrations, and for what handles them. */
export async function registrationDatabase(): Promise<string> {
  const url = await testDatabase();
  await createTables(url, [productEntity.table]);
  await execute(url, runtimeTables);
  return url;
}

export function openRegistrations(url: string): RegistrationData {
  const entities = { products: { entity: productEntity } };
  const options = { url, service: "test", entities, prepares: true };
  const { data, outbox } = openPublishing<Entities>(UserService.typeName, options);
  return Object.assign(data, { outbox }) as unknown as RegistrationData;
}

export interface RegistrationOptions {
  /** Of the service, and of its group. */
  readonly name: string;
  /** Default: none, and nothing is passed on, and nothing comes. */
  readonly broker?: Broker | undefined;
  /** What it publishes, for whichever groups. Default: nothing. */
  readonly publishes?: readonly EventType<Registered>[];
  /** It consumes if there is one; the handler is called `registered`. */
  readonly handler?: RegistrationHandler | undefined;
  /** Differing from: three tries, 20 ms apart, then left out. */
  readonly policy?: Partial<SubscriptionSpec> | undefined;
  readonly log?: Logger;
  readonly lookMs?: number;
  readonly missing?: Partial<MissingTimes>;
}

/** The events of a service that publishes or consumes UserRegistered, as `serve` runs them. `close` may be called again. */
export function startRegistrations(
  data: RegistrationData,
  {
    name,
    broker,
    publishes,
    handler,
    policy,
    log = createLogger({ name, level: "silent" }),
    ...options
  }: RegistrationOptions,
): Events & { readonly metrics: Exposition } {
  const registered: SubscriptionSpec = {
    event: userRegistered,
    concurrency: 8,
    batch: 100,
    timeoutMs: 5000,
    retry: { maxAttempts: 3, initialBackoffMs: 20, maxBackoffMs: 20, backoffMultiplier: 1 },
    deadLetter: "skip",
    ...policy,
  };
  const define = defineService<{
    handler: object;
    standard: never;
    entities: Entities;
    peers: object;
    consumers: { registered: RegistrationHandler };
  }>({
    service: UserService,
    name,
    policy: {},
    codecs: [],
    entities: {},
    peers: {},
    standard: {},
    ...(publishes && { publishes: publishes.map((event) => ({ event, groups: [name] })) }),
    ...(handler && { consumes: { registered } }),
  });
  const registeredHandler: RegistrationHandler = handler ?? (() => undefined);
  const { spec } = define({ consumers: () => ({ registered: registeredHandler }) });
  const telemetry = createTelemetry(name);
  const events = startEvents(
    { spec, handlers: { registered: registeredHandler } },
    {
      data: data as unknown as Data,
      outbox: data.outbox,
      broker,
      log,
      metrics: new EventMetrics(telemetry),
      ...options,
    },
  );
  let closed: Promise<void> | undefined;
  const close = () => {
    closed ??= events.stopConsuming().then(() => events.close());
    return closed;
  };
  return { ...events, close, metrics: telemetry };
}
