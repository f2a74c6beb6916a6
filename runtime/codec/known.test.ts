import { fileURLToPath } from "node:url";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import { StatusSchema } from "@protoscaffold/runtime/codegen/options/google/rpc/status_pb.js";
import { orderCodec, placeOrderRequestCodec } from "@shop/generated/shop/orders/v1/orders_codec.js";
import { OrderSchema, OrderService } from "@shop/generated/shop/orders/v1/orders_pb.js";
import { orderService } from "@shop/generated/shop/orders/v1/orders_service.js";
import { build } from "esbuild";
import { expect, test } from "vitest";
import { codecOf } from "./known.js";

test("a service brings the codecs of what its methods take and answer", () => {
  expect(orderService).toBeDefined();
  expect(codecOf(OrderService.method.placeOrder.input)).toBe(placeOrderRequestCodec);
  expect(codecOf(OrderService.method.placeOrder.output)).toBe(orderCodec);
});

test("what has no codec is written and read all the same", () => {
  const status = create(StatusSchema, {
    code: 5,
    message: "none",
    details: [anyPack(OrderSchema, create(OrderSchema))],
  });
  const codec = codecOf(StatusSchema);
  expect(Buffer.compare(codec.toBytes(status), toBinary(StatusSchema, status))).toBe(0);
  expect(codec.decode(codec.toBytes(status))).toStrictEqual(fromBinary(StatusSchema, toBinary(StatusSchema, status)));
  expect(() => codec.toBytes({ code: 0.5 })).toThrow("0.5 is no 32-bit integer");
});

test("a page carries no codecs", async () => {
  const { metafile } = await build({
    absWorkingDir: fileURLToPath(new URL("../../", import.meta.url)),
    entryPoints: ["generated/shop/orders/v1/orders_browser.ts"],
    bundle: true,
    write: false,
    metafile: true,
    format: "esm",
    tsconfig: "tsconfig.json",
  });
  expect(Object.keys(metafile.inputs)).toContain("generated/shop/orders/v1/orders_pb.ts");
  const codecs = Object.keys(metafile.inputs).filter((path) => path.includes("codec/") || path.includes("_codec"));
  // What keeps a page's text exact is no codec.
  expect(codecs).toEqual(["runtime/codec/exact-text.ts"]);
});
