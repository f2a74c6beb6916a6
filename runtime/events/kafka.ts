import type { Logger } from "../observe/log.js";
import { type Broker, RecordRefused, type SubscribeOptions } from "./broker.js";
import { clientOptions, explained, guarded, type Kafka, loadKafka } from "./kafka/client.js";
import { KafkaPublisher } from "./kafka/publisher.js";
import { KafkaSubscription } from "./kafka/subscription.js";
import { Topics } from "./kafka/topics.js";
import { parseKafkaUrl } from "./kafka/url.js";

export interface KafkaOptions {
  /** Names the clients in the brokers' own logs and quotas. */
  readonly service: string;
  readonly log?: Logger;
}

/**
 * A broker in an Apache Kafka cluster. It connects when it is first needed; the package @platformatic/kafka, an optional
 * peer of this one, is loaded then, too.
 *
 * @param url `kafka://host:9092,host2:9092`, `kafka+ssl://` for TLS, `user:password@` for SASL: see parseKafkaUrl
 */
export function openKafka(url: string, { service, log }: KafkaOptions): Broker {
  const options = clientOptions(parseKafkaUrl(url), service);
  let loaded: Promise<Kafka> | undefined;
  const kafka = () => {
    loaded ??= loadKafka();
    return loaded;
  };
  const topics = new Topics(kafka, (kafka) => guarded(kafka, new kafka.Admin({ ...options })));
  const publisher = new KafkaPublisher(kafka, (kafka) =>
    guarded(
      kafka,
      new kafka.Producer<Buffer, Buffer, Buffer, Buffer>({ ...options, idempotent: true, compression: "lz4" }),
    ),
  );
  return {
    system: "kafka",
    declare: (declared) => topics.declare(declared).catch(explain),
    publish: (records) => publisher.publish(records).catch(explain),
    subscribe: (subscription: SubscribeOptions) =>
      new KafkaSubscription({
        ...subscription,
        memberOptions: { ...options, groupId: subscription.group },
        kafka,
        declare: () => topics.declare(subscription.topics),
        log,
      }),
    lag: (group, names) => topics.lag(group, names).catch(explain),
    async close() {
      await publisher.close();
      await topics.close();
    },
  };
}

function explain(error: unknown): never {
  throw error instanceof RecordRefused ? error : explained(error);
}
