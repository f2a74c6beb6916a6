import type { Base, BaseOptions, Broker, Reader } from "@platformatic/kafka";
import type { KafkaAddress } from "./url.js";

/** The library, once it is loaded. */
export type Kafka = typeof import("@platformatic/kafka");

/** @throws Error if the package @platformatic/kafka, an optional peer of this one, is not installed */
export async function loadKafka(): Promise<Kafka> {
  const kafka = await import("@platformatic/kafka").catch((error: unknown) => {
    throw new Error("BROKER_URL needs the package @platformatic/kafka: npm install @platformatic/kafka@1.35", {
      cause: error,
    });
  });
  kafka.Reader.prototype.readTaggedFields = skipTaggedFields;
  return kafka;
}

/**
 * What a newer broker adds to an answer (KIP-482), such as who leads a partition now. Up to 1.35 the library reads such an
 * answer wrongly, and takes what follows for something else.
 */
function skipTaggedFields(this: Reader): void {
  for (let count = this.readUnsignedVarInt(); count > 0; count--) {
    this.readUnsignedVarInt();
    this.skip(this.readUnsignedVarInt());
  }
}

/** What all clients have in common. Each request is made once: who makes it knows what may be repeated, and for how long. */
export function clientOptions({ brokers, tls, sasl }: KafkaAddress, service: string) {
  return {
    clientId: service,
    bootstrapBrokers: [...brokers],
    ...(tls ? { tls: {} } : {}),
    ...(sasl === undefined ? {} : { sasl }),
    retries: false,
    connectTimeout: 3000,
    // A connection whose peer is gone without a word says nothing else.
    requestTimeout: 10_000,
  } satisfies BaseOptions;
}

/**
 * Makes a client fail where the library would end the process: it looks a broker up by its number, throws where nobody can
 * catch if the cluster has that one no longer, and again if an error is not one of its own.
 */
export function guarded<C extends Base>(kafka: Kafka, client: C): C {
  const connect = client[kafka.kGetConnection].bind(client);
  client[kafka.kGetConnection] = (broker: Broker | undefined, callback) => {
    const away = (cause?: Error) => new kafka.NetworkError("The broker is not there.", { cause });
    if (broker === undefined) return callback(away(), undefined as never);
    connect(broker, (error, connection) => callback(error && !("findBy" in error) ? away(error) : error, connection));
  };
  return client;
}

/** The same error, with what the library leaves to those who look into it: which broker it was, and why. */
export function explained(error: unknown): Error {
  const reasons = [...new Set(leaves(error).map(({ message }) => message))];
  return new Error(`Kafka: ${reasons.join(" ")}`, { cause: error });
}

/** What an error is about: the ones that others only gather, and their causes. */
function leaves(error: unknown): Error[] {
  const { errors = [] } = error as AggregateError;
  if (errors.length > 0) return errors.flatMap(leaves);
  return error instanceof Error && error.cause instanceof Error ? [error, ...leaves(error.cause)] : [error as Error];
}

/** Whether the same request may succeed later: a broker is away, or no leader is there yet. */
export function isPassing(error: unknown): boolean {
  const verdicts = leaves(error).map((leaf) => (leaf as { canRetry?: boolean }).canRetry);
  return verdicts.includes(true) && !verdicts.includes(false);
}

/** Whether a broker answered with this error, by Kafka's name of it. */
export function isAnswer(error: unknown, name: string): boolean {
  return hasCause(error, "apiId", name);
}

/** Whether an error, or one of those in it, has such a property. */
export function hasCause(error: unknown, property: string, value: unknown): boolean {
  const { findBy } = error as { findBy?(property: string, value: unknown): unknown };
  return Boolean(findBy?.call(error, property, value));
}
