import { create, equals } from "@bufbuild/protobuf";
import { OrderSchema } from "@shop/generated/shop/orders/v1/orders_pb.js";
import { expect, test } from "vitest";
import { ThingSchema } from "../../generator/testdata/columns/expected/generated/contract_pb.js";
import { copyMessage } from "./copy.js";

test("a copy is equal, shares nothing, and keeps keys called __proto__", () => {
  const labels = JSON.parse('{"__proto__": "a", "b": "c"}') as Record<string, string>;
  const struct = JSON.parse('{"__proto__": {"__proto__": 1}, "list": [{"__proto__": null}]}');
  const thing = create(ThingSchema, { string: "x", bytes: Buffer.from("abc"), timestamp: { seconds: 1n } });
  Object.assign(thing, { labels, struct });
  const copied = copyMessage(thing);
  expect(Object.entries(copied.labels)).toEqual(Object.entries(labels));
  expect(JSON.stringify(copied.struct)).toBe(JSON.stringify(struct));
  copied.bytes[0] = 0;
  copied.timestamp!.seconds = 2n;
  copied.labels.b = "d";
  expect([thing.bytes[0], thing.timestamp?.seconds, thing.labels.b]).toEqual([97, 1n, "c"]);
  const order = create(OrderSchema, { id: "a", lines: [{ productId: "pen", quantity: 1 }] });
  expect(equals(OrderSchema, copyMessage(order), order)).toBe(true);
});
