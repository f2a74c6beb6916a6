import { expect, test } from "vitest";
import { stopOrder } from "./order.js";

const service = (name: string, ...calls: string[]) => ({ name, calls, database: true });

test("callers stop before whom they call", () => {
  const services = [
    service("stock"),
    service("orders", "stock", "payments"),
    service("payments", "ledger"),
    service("ledger"),
  ];
  expect(stopOrder(services)).toEqual([["orders"], ["stock", "payments"], ["ledger"]]);
});

test("services that call each other in a circle stop together, after whoever calls them", () => {
  const services = [service("a", "b"), service("b", "a", "b"), service("door", "a")];
  expect(stopOrder(services)).toEqual([["door"], ["a", "b"]]);
});
