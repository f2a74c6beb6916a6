import { expect, test } from "vitest";
import { parseKafkaUrl } from "./url.js";

test.each([
  ["kafka://one", { brokers: ["one:9092"], tls: false }],
  ["kafka://one:9093,two,[::1]:9094/", { brokers: ["one:9093", "two:9092", "[::1]:9094"], tls: false }],
  [
    "kafka+ssl://shop:p%40ss%2F@one:9093,two:9093",
    {
      brokers: ["one:9093", "two:9093"],
      tls: true,
      sasl: { mechanism: "SCRAM-SHA-512", username: "shop", password: "p@ss/" },
    },
  ],
  [
    "kafka+ssl://shop:secret@one?sasl=plain",
    { brokers: ["one:9092"], tls: true, sasl: { mechanism: "PLAIN", username: "shop", password: "secret" } },
  ],
])("%s is understood", (url, address) => expect(parseKafkaUrl(url)).toEqual(address));

test.each([
  "kafka://",
  "kafka://one,,two",
  "redis://one",
  "kafka://one?acks=0",
  "kafka://shop:secret@one?sasl=kerberos",
  "kafka://shop@one",
  "kafka://shop:100%secret@one",
  "kafka://shop:top/secret@one",
])("%s is refused, and its password not said", (url) => {
  expect(() => parseKafkaUrl(url)).toThrow(/must be like kafka:\/\/host:9092/);
  expect(() => parseKafkaUrl(url)).not.toThrow(/secret/);
});
