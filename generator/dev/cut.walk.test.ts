import { answer } from "@protoscaffold/runtime/rpc/answer";
import { listen } from "@protoscaffold/runtime/rpc/listen";
import { rpcTransports } from "@protoscaffold/runtime/rpc/transport";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { calls, cutEverywhere, cuts, restCalls, Witness } from "../../runtime/gateway/testing/cut.js";
import { startGatewayTo } from "../../runtime/gateway/testing/gateway.js";
import { LoadBalancer } from "./load-balancer.js";
import { freePort } from "./ports.js";

const all = [...calls, ...restCalls];

describe.each(rpcTransports)("calls to a service on %s, cut before each byte", (transport) => {
  const witness = new Witness();
  const ports: Record<string, number> = {};
  const stops: (() => unknown)[] = [];
  beforeAll(async () => {
    const service = await listen({ ...answer({ routes: witness.routes, transport }), host: "127.0.0.1", port: 0 });
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

  describe.each(cuts)("by $name", (cut) => {
    test.each(["service", "gateway", "balancer"])("are not carried out at the %s", async (door) => {
      const wrong: string[] = [];
      for (const call of door === "service" ? calls : all) {
        wrong.push(...(await cutEverywhere(ports[door]!, witness, call, cut)));
      }
      expect(wrong).toEqual([]);
    });
  });
});
