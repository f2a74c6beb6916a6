import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { connect } from "node:net";
import { toBinary } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { GetUserRequestSchema, UserService } from "@shop/generated/shop/users/v1/users_pb.js";
import { afterEach, describe, expect, test } from "vitest";
import { innocent } from "../../scripts/testing/innocent.js";
import type { RpcTransport } from "../config/transport.js";
import { createNativeTransport } from "../grpc/client-transport.js";
import { Flag, FrameType, Setting } from "../http2/frames.js";
import { frame, message, Peer, setting } from "../http2/testing/peer.js";
import { createServerAdapter } from "./adapter.js";
import { listen } from "./listen.js";

const path = "/shop.users.v1.UserService/GetUser";
const request = toBinary(GetUserRequestSchema, { $typeName: "shop.users.v1.GetUserRequest", id: "long" });
const long = "x".repeat(4_000_000);
/** What the process may keep of them, and as much again for those that are being made. */
const MOST = 350e6;

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function start(transport: RpcTransport): Promise<number> {
  const handlers = createServerAdapter({
    transport,
    routes: (router) =>
      router.service(UserService, {
        async getUser({ id }) {
          if (id === "long") await null;
          return { id: id === "long" ? long : id };
        },
      }),
  });
  const listener = await listen({ ...handlers, host: "127.0.0.1", port: 0 });
  cleanups.push(() => listener.drain(0));
  return listener.port;
}

/** What an attack costs: others, and memory. */
async function beside(port: number, attack: () => Promise<unknown>) {
  const baseUrl = `http://127.0.0.1:${port}`;
  const users = createClient(UserService, createConnectTransport({ baseUrl, httpVersion: "1.1" }));
  await users.getUser({ id: "a" });
  const before = process.memoryUsage().rss;
  let most = before;
  const sample = setInterval(() => {
    most = Math.max(most, process.memoryUsage().rss);
  }, 10);
  const load = innocent(() => users.getUser({ id: "a" }, { timeoutMs: 10_000 }));
  await attack();
  // Whatever the attack has begun goes on for a while.
  await new Promise((resolve) => setTimeout(resolve, 2_500));
  const experience = await load.stop();
  clearInterval(sample);
  return { ...experience, bytes: most - before };
}

describe("long answers that nobody takes are not made and kept:", () => {
  test.each<[string, RpcTransport, (port: number) => Promise<unknown>]>([
    ["gRPC", "native", grpc],
    ["Connect", "native", connectOverHttp2],
    ["Connect over node:http2", "node", connectOverHttp2],
    ["Connect over HTTP/1.1, pipelined", "native", pipelined],
  ])(
    "%s",
    async (_name, transport, attack) => {
      const port = await start(transport);
      const { failures, p99, bytes } = await beside(port, () => attack(port));
      expect(failures).toEqual(new Map());
      expect(p99).toBeLessThan(200);
      expect(bytes).toBeLessThan(MOST);
    },
    30_000,
  );
});

async function grpc(port: number): Promise<void> {
  const peer = await Peer.connect(port, setting(Setting.INITIAL_WINDOW_SIZE, 0));
  cleanups.push(() => peer.socket.destroy());
  const calls = Array.from({ length: 300 }, (_, call) => [
    peer.call(2 * call + 1, path),
    frame(FrameType.DATA, Flag.END_STREAM, 2 * call + 1, message(request)),
  ]);
  peer.write(...calls.flat());
}

async function connectOverHttp2(port: number): Promise<void> {
  const session = connectHttp2(`http://127.0.0.1:${port}`, { settings: { initialWindowSize: 0 } });
  cleanups.push(() => session.destroy());
  session.on("error", () => undefined);
  for (let call = 0; call < 300; call++) {
    const stream = session.request({ ":method": "POST", ":path": path, "content-type": "application/proto" });
    stream.on("error", () => undefined).end(request);
  }
}

async function pipelined(port: number): Promise<void> {
  const socket = connect({ port, host: "127.0.0.1" });
  cleanups.push(() => socket.destroy());
  socket.on("error", () => undefined).pause();
  await once(socket, "connect");
  const query = `connect=v1&encoding=json&message=${encodeURIComponent('{"id":"long"}')}`;
  socket.write(`GET ${path}?${query} HTTP/1.1\r\nhost: a\r\n\r\n`.repeat(200));
}

test("SETTINGS that would go through thousands of streams thousands of times harm nobody else", async () => {
  const port = await start("native");
  const { failures, p99 } = await beside(port, async () => {
    const peer = await Peer.connect(port);
    cleanups.push(() => peer.socket.destroy());
    for (let call = 0; call < 9_000; call++) {
      peer.write(peer.call(2 * call + 1, path));
      if (call % 500 === 499) await peer.roundTrip();
    }
    const windows = Array.from({ length: 2_730 }, (_, each) =>
      setting(Setting.INITIAL_WINDOW_SIZE, 65_535 - (each % 2)),
    );
    peer.write(...Array(20).fill(frame(FrameType.SETTINGS, 0, 0, Buffer.concat(windows))));
    expect(await peer.goAway()).toBe("ENHANCE_YOUR_CALM");
  });
  expect(failures).toEqual(new Map());
  expect(p99).toBeLessThan(200);
}, 30_000);

test("a client that reads gets all of its long answers, however many it asks for at once", async () => {
  const port = await start("native");
  const transport = createNativeTransport(`http://127.0.0.1:${port}`);
  cleanups.push(() => transport.close());
  const users = createClient(UserService, transport);
  // The first one tells how long they are.
  await users.getUser({ id: "long" });
  const answers = await Promise.all(Array.from({ length: 40 }, () => users.getUser({ id: "long" })));
  expect(answers.every(({ id }) => id === long)).toBe(true);
}, 30_000);
