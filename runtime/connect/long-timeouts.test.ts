import { setTimeout as sleep } from "node:timers/promises";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { UserService } from "@shop/generated/shop/users/v1/users_pb.js";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createServerAdapter } from "../server/adapter.js";
import { type Listener, listen } from "../server/listen.js";

describe.each(["native", "node"] as const)("over %s", (transport) => {
  let listener: Listener;
  let url: string;

  beforeAll(async () => {
    const handlers = createServerAdapter({
      transport,
      routes: (router) =>
        router.service(UserService, {
          async getUser({ id }, { signal }) {
            await sleep(20, undefined, { signal });
            return { id };
          },
        }),
    });
    listener = await listen({ ...handlers, host: "127.0.0.1", port: 0 });
    url = `http://127.0.0.1:${listener.port}`;
  });
  afterAll(() => listener.drain(0));

  const path = `/${UserService.typeName}/GetUser`;

  test("a deadline in years is no deadline for gRPC", async () => {
    const client = createClient(UserService, createGrpcTransport({ baseUrl: url }));
    const headers = { "grpc-timeout": "99999999H" };
    expect(await client.getUser({ id: "a" }, { headers })).toMatchObject({ id: "a" });
  });

  test("nor for gRPC-Web", async () => {
    const headers = { "content-type": "application/grpc-web+json", "grpc-timeout": "99999999H" };
    const message = Buffer.from('\0\0\0\0\0{"id":"a"}');
    message[4] = message.length - 5;
    const response = await fetch(`${url}${path}`, { method: "POST", headers, body: message });
    expect(await response.text()).toMatch(/"id":"a".*grpc-status: 0/s);
  });

  test("nor for Connect", async () => {
    const headers = { "content-type": "application/json", "connect-timeout-ms": "9999999999" };
    const response = await fetch(`${url}${path}`, { method: "POST", headers, body: '{"id":"a"}' });
    expect(await response.json()).toEqual({ id: "a" });
  });
});
