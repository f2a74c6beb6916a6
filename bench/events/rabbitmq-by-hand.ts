import { type AsyncMessage, Connection } from "rabbitmq-client";
import type { HandBroker } from "./by-hand.js";
import type { Parts } from "./pipeline.js";

/** One quorum queue: publisher confirms, and acknowledgements of all up to one message. */
export async function rabbitmqByHand({ brokerUrl, topic }: Parts): Promise<HandBroker> {
  const [toPublish, toConsume] = [new Connection(brokerUrl), new Connection(brokerUrl)];
  const [sender, receiver] = [await toPublish.acquire(), await toConsume.acquire()];
  await sender.queueDeclare({ queue: topic, durable: true, arguments: { "x-queue-type": "quorum" } });
  await sender.confirmSelect();
  await receiver.basicQos({ prefetchCount: 256 });
  let closed = false;
  let wake: () => void = () => undefined;
  let consuming: Promise<void> = Promise.resolve();
  return {
    async send(messages) {
      await Promise.all(
        messages.map(({ id, number, key, text }) =>
          sender.basicPublish(
            { routingKey: topic, durable: true, messageId: id, headers: { key, number } },
            Buffer.from(text),
          ),
        ),
      );
    },
    async consume(handle) {
      let received: AsyncMessage[] = [];
      await receiver.basicConsume({ queue: topic }, (message) => {
        received.push(message);
        wake();
      });
      consuming = (async () => {
        while (!closed) {
          const batch = received.slice(0, 100);
          received = received.slice(100);
          const last = batch.at(-1);
          if (last === undefined) {
            await new Promise<void>((resolve) => {
              wake = resolve;
            });
            continue;
          }
          await handle(
            batch.map(({ messageId = "", headers, body }) => ({
              id: messageId,
              number: headers?.number as string,
              key: headers?.key as string,
              text: String(body),
            })),
          );
          receiver.basicAck({ deliveryTag: last.deliveryTag, multiple: true });
        }
      })();
    },
    async close() {
      closed = true;
      wake();
      await consuming;
      await Promise.all([sender.close(), receiver.close()]);
      await Promise.all([toPublish.close(), toConsume.close()]);
    },
  };
}
