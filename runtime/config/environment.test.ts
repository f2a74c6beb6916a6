import { describe, expect, expectTypeOf, test } from "vitest";
import { brokerUrl } from "../events/broker-url.js";
import {
  bytes,
  EnvironmentError,
  flag,
  hours,
  httpUrl,
  milliseconds,
  oneOf,
  optional,
  port,
  postgresUrl,
  postgresUrls,
  readEnvironment,
  redisUrl,
  text,
} from "./environment.js";

const spec = {
  PORT: port(),
  HOST: text("127.0.0.1"),
  DATABASE_URL: postgresUrl(),
  ORDERS_URL: httpUrl(),
  LOG_LEVEL: oneOf(["debug", "info"], "info"),
  MIGRATE: flag(false),
  DRAIN_TIMEOUT_MS: milliseconds(10_000),
  CACHE_URL: optional(redisUrl()),
  DATABASE_REPLICA_URLS: postgresUrls([]),
  JOURNAL_MAX_BYTES: bytes(1024),
  BROKER_URL: optional(brokerUrl),
  SAGA_RETENTION_H: optional(hours()),
};

function faultsOf(env: Record<string, string>): readonly string[] {
  try {
    readEnvironment(spec, env);
  } catch (error) {
    if (error instanceof EnvironmentError) return error.faults;
    throw error;
  }
  return [];
}

const complete = { PORT: "0", DATABASE_URL: "postgres://u@h/d", ORDERS_URL: "http://127.0.0.1:1/" };

describe("readEnvironment", () => {
  test("answers typed values and fallbacks", () => {
    const values = readEnvironment(spec, { ...complete, MIGRATE: "on", LOG_LEVEL: "", SAGA_RETENTION_H: "48" });
    expectTypeOf(values.PORT).toEqualTypeOf<number>();
    expectTypeOf(values.LOG_LEVEL).toEqualTypeOf<"debug" | "info">();
    expectTypeOf(values.CACHE_URL).toEqualTypeOf<string | undefined>();
    expect(values).toStrictEqual({
      PORT: 0,
      HOST: "127.0.0.1",
      DATABASE_URL: "postgres://u@h/d",
      ORDERS_URL: "http://127.0.0.1:1",
      LOG_LEVEL: "info",
      MIGRATE: true,
      DRAIN_TIMEOUT_MS: 10_000,
      CACHE_URL: undefined,
      DATABASE_REPLICA_URLS: [],
      JOURNAL_MAX_BYTES: 1024,
      BROKER_URL: undefined,
      SAGA_RETENTION_H: 48,
    });
    const DATABASE_REPLICA_URLS = "postgres://u:p@h1/d, postgres://u:p@h2/d";
    expect(readEnvironment(spec, { ...complete, DATABASE_REPLICA_URLS }).DATABASE_REPLICA_URLS).toEqual([
      "postgres://u:p@h1/d",
      "postgres://u:p@h2/d",
    ]);
  });

  test.each(["postgres://u@h/d", "kafka://one:9092,two:9092", "kafka+ssl://u:p@one,two?sasl=plain", "amqp://h"])(
    "takes BROKER_URL=%s",
    (url) => expect(readEnvironment(spec, { ...complete, BROKER_URL: url }).BROKER_URL).toBe(url),
  );

  test("names every fault at once, each with a value that is right, and shows no secret", () => {
    expect(
      faultsOf({ PORT: "70000", DATABASE_URL: "mysql://root:hunter2@h/d", LOG_LEVEL: "loud", MIGRATE: "maybe" }),
    ).toEqual([
      'PORT is "70000": it must be a port number from 0 to 65535, such as 8081',
      "DATABASE_URL is something else: it must be the URL of a PostgreSQL database, such as postgresql://user:password@127.0.0.1:5432/orders",
      "ORDERS_URL is not set: it must be an http:// or https:// URL, such as http://127.0.0.1:8081",
      'LOG_LEVEL is "loud": it must be one of debug, info, such as info',
      'MIGRATE is "maybe": it must be on or off, such as on',
    ]);
  });

  test.each([
    ["PORT", "-1"],
    ["PORT", "80.5"],
    ["PORT", "0x50"],
    ["ORDERS_URL", "127.0.0.1:8081"],
    ["ORDERS_URL", "orders"],
    ["DATABASE_URL", "postgres://"],
    ["DRAIN_TIMEOUT_MS", "3000000000"],
    ["DRAIN_TIMEOUT_MS", "10s"],
    ["CACHE_URL", "redis"],
    ["DATABASE_REPLICA_URLS", "postgres://u@h/d,"],
    ["DATABASE_REPLICA_URLS", "postgres://u@h/d,mysql://h/d"],
    ["JOURNAL_MAX_BYTES", "64 MB"],
    ["CACHE_URL", "http://127.0.0.1:6379"],
    ["BROKER_URL", "kafka://one,,two"],
    ["BROKER_URL", "kafka://one?acks=0"],
    ["BROKER_URL", "nats://one"],
    ["SAGA_RETENTION_H", "600001"],
    ["SAGA_RETENTION_H", "2.5"],
  ])("refuses %s=%s", (name, value) => {
    expect(faultsOf({ ...complete, [name]: value })).toHaveLength(1);
  });
});
