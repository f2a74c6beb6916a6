import type { DescMethodUnary } from "@bufbuild/protobuf";
import type { ConnectRouter } from "@connectrpc/connect";
import { OrderService } from "@shop/generated/shop/orders/v1/orders_pb.js";
import { expect, onTestFinished, test } from "vitest";
import { innocent } from "../../scripts/testing/innocent.js";
import { createServerAdapter } from "../server/adapter.js";
import { listen } from "../server/listen.js";
import { Http2Client } from "./testing/bombs.js";
import { startGatewayTo } from "./testing/gateway.js";
import { KindService } from "./testing/kinds.js";

const keys = (count: number, value: string) => Array.from({ length: count }, (_, i) => `"${i}a":${value}`).join();
const json = { "content-type": "application/json" };

test("JSON that is deep, or has very many values, harms nobody", async () => {
  const routes = (router: ConnectRouter) => {
    router.service(OrderService, { getOrder: ({ id }) => ({ id }) });
    router.rpc(KindService.method.echo! as DescMethodUnary, (request: unknown) => request as never);
  };
  const service = await listen({ ...createServerAdapter({ routes }), host: "127.0.0.1", port: 0 });
  const gateway = await startGatewayTo(`http://127.0.0.1:${service.port}`);
  const callers = {
    service: new Http2Client(service.port),
    gateway: new Http2Client(gateway.port),
    innocent: new Http2Client(gateway.port),
  };
  onTestFinished(async () => {
    for (const caller of Object.values(callers)) caller.close();
    await gateway.stop();
    await service.drain(0);
  });
  const deep = "[".repeat(2_000_000);
  const attacks = [
    ["service", "/testing.KindService/Echo", deep],
    ["service", "/testing.KindService/Echo", `{"held":{"a":${deep}`],
    ["service", "/testing.KindService/Echo", `{"sise":${deep}`],
    ["service", "/testing.KindService/Echo", `{"held":{${keys(300_000, "0")}}}`],
    ["service", "/testing.KindService/Echo", `{"labels":{${keys(300_000, '""')}}}`],
    ["service", "/testing.KindService/Echo", `{"items":[${"{},".repeat(1_300_000)}{}]}`],
    ["gateway", "/v1/orders", deep],
    ["gateway", "/v1/orders", `{${keys(300_000, "0")}}`],
    ["gateway", "/v1/orders", `{"lines":[${"{},".repeat(1_300_000)}{}]}`],
    ["gateway", "/grpc.health.v1.Health/Check", deep],
    ["gateway", "/grpc.health.v1.Health/Check", `{${keys(300_000, "0")}}`],
  ] as const;
  const bodies = attacks.map(([door, path, text]) => ({ door, path, body: Buffer.from(text) }));
  const load = innocent(async () => {
    const said = await callers.innocent.call("/v1/orders/a", {});
    if (!said.includes('"id":"a"')) throw new Error(said);
  });
  for (let round = 0; round < 3; round++) {
    for (const { door, path, body } of bodies) {
      const said = await callers[door].call(path, json, body);
      expect(said).toContain('":status":400');
      expect(said.length).toBeLessThan(4000);
    }
  }
  const { failures, p99 } = await load.stop();
  expect(Object.fromEntries(failures)).toEqual({});
  expect(p99).toBeLessThan(200);
});
