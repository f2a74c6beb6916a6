import { rpcTransports } from "@protoscaffold/runtime/config/transport";
import { createServerAdapter } from "@protoscaffold/runtime/server/adapter";
import { listen } from "@protoscaffold/runtime/server/listen";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { calls, cutEverywhere, cuts, restCalls, Witness } from "../../runtime/gateway/testing/cut.js";
import { startGatewayTo } from "../../runtime/gateway/testing/gateway.js";
import { innocent } from "../../scripts/testing/innocent.js";
import { LoadBalancer } from "./load-balancer.js";
import { freePort } from "./ports.js";

const all = [...calls, ...restCalls];

// Each with connections of its own: node:http2 takes a thousand resets on one, and then 33 a second.
const ways = rpcTransports.flatMap((transport) => cuts.map((cut) => ({ transport, cut, name: cut.name })));

describe.each(ways)("calls to a service on $transport, cut before each byte by $name", ({ transport, cut }) => {
  const witness = new Witness();
  const ports: Record<string, number> = {};
  const stops: (() => unknown)[] = [];
  beforeAll(async () => {
    const service = await listen({
      ...createServerAdapter({ routes: witness.routes, transport }),
      host: "127.0.0.1",
      port: 0,
    });
    const gateway = await startGatewayTo(`http://127.0.0.1:${service.port}`);
    const balancer = new LoadBalancer([{ port: gateway.port, healthy: () => true }]);
    const port = await freePort();
    await balancer.listen(port);
    Object.assign(ports, { service: service.port, gateway: gateway.port, balancer: port });
    stops.push(
      () => balancer.destroy(),
      gateway.stop,
      () => service.drain(0),
    );
  });
  afterAll(async () => {
    for (const stop of stops) await stop();
  });

  test.each(["service", "gateway", "balancer"])("are not carried out at the %s", async (door) => {
    const wrong: string[] = [];
    // Somebody else, as a proxy beside the gateway would say.
    const headers = { "x-forwarded-for": "192.0.2.7" };
    const others = innocent(async () => {
      const { ok, status } = await fetch(`http://127.0.0.1:${ports.gateway}/v1/orders/a`, { headers });
      if (!ok) throw new Error(`HTTP ${status}`);
    });
    for (const call of door === "service" ? calls : all) {
      wrong.push(...(await cutEverywhere(ports[door]!, witness, call, cut)));
    }
    expect(wrong).toEqual([]);
    const { failures, p99 } = await others.stop();
    expect(Object.fromEntries(failures)).toEqual({});
    expect(p99).toBeLessThan(200);
  });
});
