import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { UserService } from "@shop/generated/shop/users/v1/users_pb.js";
import { afterEach, describe, expect, test } from "vitest";
import { authority } from "../testing/certificates.js";
import { createServerAdapter } from "./adapter.js";
import { type Listener, listen } from "./listen.js";

const path = "/shop.users.v1.UserService/GetUser";
const ours = await authority("ours");
const identity = await ours.issue("server");

let begun = 0;
let running = 0;
let atOnce = 0;
let listener: Listener;
let socket: Socket;

async function start(isTls: boolean): Promise<void> {
  [begun, running, atOnce] = [0, 0, 0];
  const handlers = createServerAdapter({
    routes: (router) =>
      router.service(UserService, {
        async getUser({ id }) {
          begun++;
          atOnce = Math.max(atOnce, ++running);
          await new Promise((resolve) => setImmediate(resolve));
          running--;
          return { id: id.startsWith("long") ? id.repeat(100_000) : id };
        },
      }),
  });
  listener = await listen({ ...handlers, host: "127.0.0.1", port: 0, ...(isTls ? { tls: identity } : {}) });
  socket = isTls
    ? connectTls({ host: "127.0.0.1", port: listener.port, ca: ours.cert, ALPNProtocols: ["http/1.1"] })
    : connect({ host: "127.0.0.1", port: listener.port });
  await new Promise((resolve) => socket.once(isTls ? "secureConnect" : "connect", resolve));
}

afterEach(async () => {
  socket.destroy();
  await listener.drain(100);
});

const get = (id: string) =>
  `GET ${path}?connect=v1&encoding=json&message=${encodeURIComponent(JSON.stringify({ id }))} HTTP/1.1\r\nhost: a\r\n\r\n`;
const post = (id: string) => {
  const body = JSON.stringify({ id });
  return `POST ${path} HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
};

/** Reads until so many users have come, and returns their ids. */
async function users(count: number): Promise<string[]> {
  let text = "";
  for await (const chunk of socket) {
    text += chunk;
    if (text.split('"}').length > count) break;
  }
  return [...text.matchAll(/\{"id":"([^"]*)"\}/g)].map(([, id]) => id as string);
}

describe.each([
  ["TCP", false],
  ["TLS", true],
])("over %s, requests of one connection", (_name, isTls) => {
  test("are handled one after the other, and answered in their order", async () => {
    await start(isTls);
    const ids = Array.from({ length: 200 }, (_, index) => `u${index}`);
    // Some of them are longer than what is read at once.
    socket.write(ids.map((id, index) => (index % 3 === 0 ? post(id) : get(id))).join(""));
    expect(await users(200)).toEqual(ids);
    expect(atOnce).toBe(1);
  });

  test("that have a long body are read while their turn comes", async () => {
    await start(isTls);
    const long = "x".repeat(300_000);
    socket.write(get("a") + post(long) + get("b") + post(long) + get("c"));
    expect(await users(5)).toEqual(["a", long, "b", long, "c"]);
  });

  test("wait while the answer before is not read", async () => {
    await start(isTls);
    socket.pause();
    const requests = Array.from({ length: 100 }, () => get("long answer"));
    socket.write(requests.join(""));
    // What the systems on both sides keep is read off before: the rest stays where it is.
    const seen = new Set<number>();
    while (!seen.has(begun) || begun === 0) {
      seen.add(begun);
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    expect(begun).toBeLessThan(20);
    expect(atOnce).toBe(1);
  });
});

test.each([
  ["a NUL byte", "\0"],
  ["an unknown method", "FOO / HTTP/1.1\r\n\r\n"],
  ["two lengths", "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n"],
])("a whole request is answered, and what comes behind it that is none ends the connection: %s", async (_, behind) => {
  await start(false);
  socket.write(post("whole") + behind);
  let text = "";
  for await (const chunk of socket) text += chunk;
  expect([...text.matchAll(/^HTTP\/1\.1 (\d+)/gm)].map(([, each]) => each)).toEqual(["200"]);
  expect(text).toContain('{"id":"whole"}');
});

test("what comes behind a request that closes the connection is ignored", async () => {
  await start(false);
  socket.write(post("last").replace("host: a", "host: a\r\nconnection: close") + get("unheard"));
  let text = "";
  for await (const chunk of socket) text += chunk;
  expect([...text.matchAll(/^HTTP\/1\.1 (\d+)/gm)].map(([, each]) => each)).toEqual(["200"]);
});

test("more requests than are kept end their connection", async () => {
  await start(false);
  socket.on("error", () => undefined).resume();
  socket.write(get("a").repeat(500));
  await new Promise((resolve) => socket.once("close", resolve));
  expect(begun).toBeLessThan(10);
});

test("requests that wait are answered before a drain ends, or go with their connection", async () => {
  await start(false);
  socket.write(get("a").repeat(100));
  const [first] = await Promise.all([users(1), listener.drain(5_000)]);
  expect(first[0]).toBe("a");
});
