import { Admin, Consumer, Producer, stringDeserializers, stringSerializers } from "@platformatic/kafka";
import type { HandBroker, HandMessage } from "./by-hand.js";
import type { Parts } from "./pipeline.js";

/** A topic and a group of one member, with the client library's own stream of messages. */
export async function kafkaByHand({ brokerUrl, topic, partitions }: Parts): Promise<HandBroker> {
  const options = { clientId: "hand", bootstrapBrokers: [new URL(brokerUrl).host] };
  const admin = new Admin(options);
  await admin.createTopics({ topics: [topic], partitions });
  await admin.close();
  const producer = new Producer({ ...options, serializers: stringSerializers, idempotent: true, compression: "lz4" });
  const consumer = new Consumer({ ...options, groupId: topic, deserializers: stringDeserializers });
  let closed = false;
  let wake: () => void = () => undefined;
  let end: () => Promise<void> = async () => undefined;
  return {
    async send(messages) {
      await producer.send({
        acks: -1,
        messages: messages.map(({ id, number, key, text }) => ({ topic, key, value: text, headers: { id, number } })),
      });
    },
    async consume(handle) {
      const stream = await consumer.consume({
        topics: [topic],
        mode: "committed",
        fallbackMode: "earliest",
        autocommit: false,
      });
      let received: { message: HandMessage; partition: number; offset: bigint }[] = [];
      stream.on("data", ({ key, value, headers, partition, offset }) => {
        const [id, number] = [headers.get("id") ?? "", headers.get("number") ?? ""];
        received.push({ message: { id, number, key: key ?? "", text: value ?? "" }, partition, offset });
        wake();
      });
      const consuming = (async () => {
        while (!closed) {
          const batch = received.slice(0, 100);
          received = received.slice(100);
          if (batch.length === 0) {
            await new Promise<void>((resolve) => {
              wake = resolve;
            });
            continue;
          }
          await handle(batch.map(({ message }) => message));
          const next = new Map(batch.map(({ partition, offset }) => [partition, offset + 1n]));
          const offsets = [...next].map(([partition, offset]) => ({ topic, partition, offset, leaderEpoch: 0 }));
          await consumer.commit({ offsets });
        }
      })();
      end = async () => {
        await consuming;
        await stream.close();
      };
    },
    async close() {
      closed = true;
      wake();
      await end();
      await Promise.all([producer.close(), consumer.close(true)]);
    },
  };
}
