import { once } from "node:events";
import { type ClientHttp2Session, connect as connectHttp2 } from "node:http2";
import { connect, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { Code } from "@connectrpc/connect";
import { OrderService } from "@shop/generated/shop/orders/v1/orders_pb.js";
import { afterEach, describe, expect, test } from "vitest";
import { innocent } from "../../scripts/testing/innocent.js";
import { preface } from "../http2/frames.js";
import type { GatewayLimits } from "./start.js";
import { startTestGateway } from "./testing/gateway.js";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function start(limits: GatewayLimits = {}) {
  const gateway = await startTestGateway(
    (router) =>
      router.service(OrderService, {
        placeOrder: ({ requestId }) => ({ id: requestId }),
        getOrder: ({ id }) => ({ id }),
      }),
    { limits },
  );
  cleanups.push(() => gateway.stop());
  /** Places a small order, as somebody does who did nothing wrong. */
  const place = async () => {
    const headers = { "content-type": "application/json" };
    const response = await fetch(`${gateway.url}/v1/orders`, { method: "POST", headers, body: '{"requestId": "r"}' });
    if (response.status !== 200) throw new Error(`${response.status} ${await response.text()}`);
  };
  return { gateway, place };
}

const head = { ":method": "POST", ":path": "/v1/orders", "content-type": "application/json" };

/** Begins a body over HTTP/1.1, and sends no more of it. Returns what is said to it. */
function holdHttp1(port: number, bytes: number): Promise<string> {
  const socket: Socket = connect(port, "127.0.0.1").on("error", () => undefined);
  cleanups.push(() => socket.destroy());
  socket.write(
    `POST /v1/orders HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 4000000\r\n\r\n${" ".repeat(bytes)}`,
  );
  return text(socket).catch(() => "");
}

async function holdHttp2(session: ClientHttp2Session, bytes: number): Promise<{ status: unknown; body: string }> {
  const stream = session.request(head).on("error", () => undefined);
  stream.write(" ".repeat(bytes));
  const [headers] = await once(stream, "response");
  return { status: headers[":status"], body: await text(stream).catch(() => "") };
}

describe("a body that does not come to its end", () => {
  test("is given up after a while, and its caller is told so", async () => {
    const { gateway, place } = await start({ bodyLimits: { timeoutMs: 300 } });
    const session = connectHttp2(gateway.url);
    cleanups.push(() => session.destroy());
    const [first, second] = await Promise.all([holdHttp1(gateway.port, 10), holdHttp2(session, 10)]);
    expect(first).toMatch(/^HTTP\/1.1 408 /);
    expect(first).toContain('"code":4,"message":"the body took longer than 0.3 s to arrive"');
    expect(second.status).toBe(408);
    expect(JSON.parse(second.body)).toMatchObject({ code: Code.DeadlineExceeded });
    await place();
  });

  test("is given up before younger ones when too much is kept", async () => {
    const { gateway, place } = await start({ bodyLimits: { maxBytes: 4_000_000 } });
    const beside = innocent(place);
    const sessions = Array.from({ length: 4 }, () => connectHttp2(gateway.url));
    cleanups.push(() => sessions.forEach((session) => void session.destroy()));
    const held = Array.from({ length: 60 }, (_, i) =>
      i % 2 === 0 ? holdHttp1(gateway.port, 200_000) : holdHttp2(sessions[i % 4]!, 60_000).then(({ body }) => body),
    );
    const answers = await Promise.race([Promise.all(held.slice(0, 10)), once(sessions[0]!, "close").then(() => [])]);
    for (const answer of answers) expect(answer).toContain(`"code":${Code.ResourceExhausted}`);
    const { failures, p99 } = await beside.stop();
    expect([...failures.keys()]).toEqual([]);
    expect(p99).toBeLessThan(200);
  });
});

test("100,000 requests in 3 MB of HEADERS leave others their turn", async () => {
  const { gateway, place } = await start();
  await place();
  const beside = innocent(place);
  const block = Buffer.from([0x82, 0x86, 0x84, 0x41, 9, ...Buffer.from("localhost")]);
  const frames = Buffer.alloc(100_000 * (9 + block.length));
  for (let i = 0, at = 0; i < 100_000; i++) {
    frames[at + 2] = block.length;
    frames[at + 3] = 1;
    frames[at + 4] = 5;
    frames.writeUInt32BE(2 * i + 1, at + 5);
    at += 9 + block.copy(frames, at + 9);
  }
  const socket = connect(gateway.port, "127.0.0.1").on("error", () => undefined);
  cleanups.push(() => socket.destroy());
  socket.resume().write(Buffer.concat([preface, Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]), frames]));
  await once(socket, "close");
  const { failures, p99 } = await beside.stop();
  expect([...failures.keys()]).toEqual([]);
  expect(p99).toBeLessThan(200);
});
