import { type EnvironmentReader, urlOf } from "../config/environment.js";
import { isKafkaUrl } from "./kafka/url.js";
import { brokerProtocols } from "./open.js";

/** BROKER_URL: the address of a broker of events. It has no default. */
export const brokerUrl: EnvironmentReader<string> = {
  expected: "the URL of a broker",
  example: "postgresql://user:password@127.0.0.1:5432/broker, kafka://127.0.0.1:9092 or amqp://127.0.0.1",
  secret: true,
  // A Kafka cluster's URL names several hosts, which `URL` does not take.
  parse: (text) =>
    isKafkaUrl(text)
      ? text
      : urlOf(
          text,
          brokerProtocols.filter((protocol) => !protocol.startsWith("kafka")),
        ),
};
