import { expect, it } from "vitest";
import { readGatewayEnvironment } from "./environment.js";
import { system } from "./testing/system.js";

it("reads the port, and where each service is", () => {
  const env = {
    PORT: "8080",
    ORDERS_URL: "http://127.0.0.1:1",
    USERS_URL: "http://127.0.0.1:2",
    INVENTORY_URL: "http://127.0.0.1:3",
  };
  expect(readGatewayEnvironment(system, env)).toEqual({
    PORT: 8080,
    HOST: "127.0.0.1",
    ALLOWED_HOSTS: [],
    SOURCE_MAPS: false,
    RPC_TRANSPORT: "native",
    RPC_COMPRESSION: "off",
    LOG_LEVEL: "info",
    DRAIN_TIMEOUT_MS: 10_000,
    addresses: {
      ORDERS_URL: "http://127.0.0.1:1",
      USERS_URL: "http://127.0.0.1:2",
      INVENTORY_URL: "http://127.0.0.1:3",
    },
  });
});

it("says everything that is wrong at once", () => {
  const env = { PORT: "http", ORDERS_URL: "nowhere", USERS_URL: "http://127.0.0.1:2", DRAIN_TIMEOUT_MS: "-1" };
  const read = () => readGatewayEnvironment(system, env);
  for (const name of ["PORT", "ORDERS_URL", "INVENTORY_URL", "DRAIN_TIMEOUT_MS"]) expect(read).toThrow(`${name} is`);
  expect(read).not.toThrow("USERS_URL");
});
