import type { Socket } from "node:net";
import { type Client, Code, createClient } from "@connectrpc/connect";
import { UserService } from "@shop/generated/shop/users/v1/users_pb.js";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Between } from "../http2/testing/between.js";
import { createServerAdapter } from "../server/adapter.js";
import { type Listener, listen } from "../server/listen.js";
import { NodeSessions } from "./node-sessions.js";
import { nodeGrpcTransport } from "./node-transport.js";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** So long that no PING is sent beside a call that takes its time on a busy machine: those before a call are tested. */
const pingIntervalMs = 300;
/** Longer than that interval, for it is the silence that is tested. */
const silence = () => new Promise((resolve) => setTimeout(resolve, pingIntervalMs + 20));

let service: Listener;
let between: Between;
let client: Client<typeof UserService>;
beforeEach(async () => {
  const handlers = createServerAdapter({
    routes: (router) =>
      router.service(UserService, {
        getUser: ({ id }) => ({ id }),
        async *chat(requests) {
          for await (const { text } of requests) yield { text };
        },
      }),
  });
  service = await listen({ ...handlers, host: "127.0.0.1", port: 0 });
  cleanups.push(() => service.drain(0));
  between = new Between();
  cleanups.push(() => between.stop());
  await between.start(service.port);
  const baseUrl = `http://127.0.0.1:${between.port}`;
  client = connectTo(baseUrl, 10_000);
});

function connectTo(baseUrl: string, pingTimeoutMs: number): Client<typeof UserService> {
  const sessions = new NodeSessions(baseUrl, { pingIntervalMs, pingTimeoutMs });
  cleanups.push(() => sessions.abort());
  return createClient(UserService, nodeGrpcTransport(baseUrl, sessions));
}

describe("a call after a silence is answered when its connection", () => {
  test.each<[string, (client: Socket) => void]>([
    ["ends instead of answering a PING", (client) => client.end()],
    ["is reset instead of answering a PING", (client) => client.resetAndDestroy()],
  ])("%s", async (_, onPing) => {
    await client.getUser({ id: "a" });
    for (let turn = 0; turn < 2; turn++) {
      await silence();
      between.onPing = onPing;
      const calls = await Promise.all(Array.from({ length: 5 }, () => client.getUser({ id: "b" })));
      expect(calls.map(({ id }) => id)).toEqual(["b", "b", "b", "b", "b"]);
      expect(between.onPing).toBeUndefined();
    }
  });

  test("answers no PING", async () => {
    client = connectTo(`http://127.0.0.1:${between.port}`, 200);
    await client.getUser({ id: "a" });
    await silence();
    between.onPing = () => undefined;
    expect(await client.getUser({ id: "b" })).toMatchObject({ id: "b" });
    expect(between.onPing).toBeUndefined();
  });

  test("answers it", async () => {
    await client.getUser({ id: "a" });
    await silence();
    await client.getUser({ id: "b" });
    expect(between.pings).toBeGreaterThan(0);
    expect(between.clients.size).toBe(1);
  });
});

test("a connection is opened again after it could not be", async () => {
  await service.drain(0);
  await expect(client.getUser({ id: "a" })).rejects.toMatchObject({ code: expect.any(Number) });
  const routes = createServerAdapter({
    routes: (router) => router.service(UserService, { getUser: ({ id }) => ({ id }) }),
  });
  service = await listen({ ...routes, host: "127.0.0.1", port: service.port });
  expect(await client.getUser({ id: "a" })).toMatchObject({ id: "a" });
});

test("a server that is gone is UNAVAILABLE", async () => {
  const url = "http://127.0.0.1:1";
  await expect(connectTo(url, 10_000).getUser({ id: "a" })).rejects.toMatchObject({ code: Code.Unavailable });
});
