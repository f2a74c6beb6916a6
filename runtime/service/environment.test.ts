import { expect, test } from "vitest";
import { notifications } from "../../examples/shop/notifications/notifications.js";
import { orders } from "../../examples/shop/orders/orders.js";
import { EnvironmentError } from "../config/environment.js";
import type { ServiceSpec } from "../spec/service.js";
import { parcels } from "../testing/parcels.js";
import { readServiceEnvironment } from "./environment.js";

/** The variables that a service without an environment misses. */
function missingOf(...services: [ServiceSpec, ...ServiceSpec[]]): readonly string[] {
  try {
    readServiceEnvironment(services, {});
  } catch (error) {
    if (error instanceof EnvironmentError) return error.faults.map((fault) => fault.split(": ")[0]!);
    throw error;
  }
  return [];
}

const bare: ServiceSpec = { ...parcels.spec, entities: {}, policy: {}, standard: {} };
const owns = "but the service owns data";

test.each([
  ["nothing", bare, []],
  [
    "data and deferred writes",
    parcels.spec,
    [`DATABASE_URL is not set, ${owns}`, "JOURNAL_DIR is not set, but the service defers writes"],
  ],
  [
    "data, peers and events",
    notifications.spec,
    [
      "ORDERS_URL is not set",
      `DATABASE_URL is not set, ${owns}`,
      "BROKER_URL is not set, but the service publishes or consumes events",
    ],
  ],
])("a service with %s asks for its port, and for that", (_what, spec, missing) => {
  expect(missingOf(spec)).toEqual(["PORT is not set", ...missing]);
});

test("the services beside it have peers of their own, and share its port and address", () => {
  const peer = { name: bare.name, connect: () => ({}) };
  const beside = { ...bare, peers: { ...orders.spec.peers, self: peer } };
  expect(missingOf(bare, beside)).toEqual(["PORT is not set", "INVENTORY_URL is not set", "PAYMENTS_URL is not set"]);
});
