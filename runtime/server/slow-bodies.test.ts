import { once } from "node:events";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { UserService } from "@shop/generated/shop/users/v1/users_pb.js";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { createServerAdapter } from "./adapter.js";
import { createHttp1Server } from "./http1.js";
import { type Listener, listen } from "./listen.js";

const BODY_TIMEOUT_MS = 300;
const json = '{"id":"slow"}';
const envelope = Buffer.concat([Buffer.from([0, 0, 0, 0, json.length]), Buffer.from(json)]);

let server: Listener;
let calls = 0;

beforeAll(async () => {
  const { http1, http2 } = createServerAdapter({
    routes: (router) =>
      router.service(UserService, {
        getUser({ id }) {
          calls++;
          return { id };
        },
        async *listUsers() {
          calls++;
          yield { id: "streamed" };
        },
      }),
  });
  const http1Server = createHttp1Server(http1, { bodyTimeoutMs: BODY_TIMEOUT_MS });
  server = await listen({ http1Server, http1, http2, host: "127.0.0.1", port: 0 });
});
afterAll(() => server.drain(0));
beforeEach(() => {
  calls = 0;
});

/** Sends all of a request but the last byte, and that when `last` resolves. Returns the response. */
async function drip(path: string, contentType: string, body: Buffer, last: Promise<unknown>): Promise<string> {
  const socket = connect(server.port, "127.0.0.1").on("error", () => undefined);
  const closed = once(socket, "close");
  let text = "";
  socket.setEncoding("utf8").on("data", (chunk) => {
    text += chunk;
  });
  const head = `POST ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: ${contentType}\r\nContent-Length: ${body.length}\r\n\r\n`;
  socket.write(head);
  socket.write(body.subarray(0, -1));
  await Promise.race([last, closed]);
  socket.write(body.subarray(-1));
  await closed;
  return text;
}

const never = new Promise<never>(() => undefined);

test("a message that takes too long over HTTP/1.1 is refused, and its connection is closed", async () => {
  const response = await drip("/shop.users.v1.UserService/GetUser", "application/json", Buffer.from(json), never);
  expect(response).toMatch(/^HTTP\/1\.1 408 Request Timeout\r\n/);
  expect(response).toContain("the request took too long to arrive");
  expect(calls).toBe(0);
});

test("a stream of messages may take longer", async () => {
  const path = "/shop.users.v1.UserService/ListUsers";
  const response = await drip(path, "application/connect+json", envelope, sleep(2 * BODY_TIMEOUT_MS));
  expect(response).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
  expect(response).toContain("streamed");
});

test("a message that comes in time is answered", async () => {
  const response = await drip(
    "/shop.users.v1.UserService/GetUser",
    "application/json",
    Buffer.from(json),
    sleep(BODY_TIMEOUT_MS / 10),
  );
  expect(response).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
  expect(calls).toBe(1);
});
