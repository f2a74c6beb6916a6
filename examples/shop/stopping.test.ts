import { createOrderServiceClient } from "@shop/generated/shop/orders/v1/orders_client.js";
import { OrderState } from "@shop/generated/shop/orders/v1/orders_pb.js";
import { expect, test } from "vitest";
import { startShop, until } from "./testing/shop.js";

const order = {
  requestId: "stopping",
  customerId: "somebody",
  lines: [{ productId: "oak-tray", quantity: 1 }],
  paymentMethod: "card",
  wait: true,
};

test("the supervisor is killed, the rest drains by itself, and the next start has all the data", async () => {
  const first = await startShop();
  const placed = await createOrderServiceClient({ baseUrl: first.address }).placeOrder(order);
  expect(placed.state).toBe(OrderState.CONFIRMED);
  const pids = (await first.processes()).map(({ pid }) => pid);
  first.supervisor.kill("SIGKILL");
  await until("nothing is left behind", () => !pids.some(isAlive));

  const second = await startShop({ state: first.state, port: Number(new URL(first.address).port) });
  try {
    const client = createOrderServiceClient({ baseUrl: second.address });
    expect(await client.getOrder({ id: placed.id })).toEqual(placed);
    expect(await client.placeOrder(order)).toEqual(placed);
  } finally {
    const left = (await second.processes()).map(({ pid }) => pid);
    await second.stop();
    expect(left.filter(isAlive)).toEqual([]);
  }
}, 120_000);

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
