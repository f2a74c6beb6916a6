import { once } from "node:events";
import type { ServerResponse } from "node:http";
import { connect as connectHttp2 } from "node:http2";
import { connect } from "node:net";
import { afterEach, expect, test } from "vitest";
import { listen } from "./listen.js";
import { nodeHttp2 } from "./node-http2.js";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** Answers with more than any buffer takes, or, at `/wait`, when the caller has left. `closed` tells of the first answer's end. */
async function start(watchLimits: { stallTimeoutMs?: number; idleTimeoutMs?: number }) {
  let tell: () => void = () => undefined;
  const closed = new Promise<void>((resolve) => {
    tell = resolve;
  });
  const handle = (request: { url?: string }, response: ServerResponse) => {
    response.once("close", tell);
    if (request.url === "/wait") response.flushHeaders();
    else response.end(Buffer.alloc(32 * 1024 * 1024));
  };
  const listener = await listen({
    http1: handle,
    http2: nodeHttp2(handle as never, watchLimits),
    watchLimits,
    host: "127.0.0.1",
    port: 0,
  });
  cleanups.push(() => listener.drain(0));
  return { port: listener.port, closed };
}

function session(port: number) {
  const client = connectHttp2(`http://127.0.0.1:${port}`).on("error", () => undefined);
  cleanups.push(() => client.destroy());
  return client;
}

test("a caller of HTTP/1.1 who takes nothing of an answer is left", async () => {
  const { port, closed } = await start({ stallTimeoutMs: 100 });
  const socket = connect(port, "127.0.0.1").on("error", () => undefined);
  cleanups.push(() => socket.destroy());
  socket.pause().write("GET / HTTP/1.1\r\nhost: localhost\r\n\r\n");
  await closed;
});

test("a caller of HTTP/2 who takes nothing of an answer is left", async () => {
  const { port, closed } = await start({ stallTimeoutMs: 100 });
  const stream = session(port).request({ ":path": "/" });
  stream.on("error", () => undefined).pause();
  await closed;
});

test("a connection of HTTP/2 without a stream is closed, and one that waits for an answer is not", async () => {
  const { port } = await start({ idleTimeoutMs: 100 });
  const waiting = session(port);
  const stream = waiting.request({ ":path": "/wait" });
  await once(stream, "response");
  const idle = session(port);
  await once(idle, "close");
  expect(waiting.destroyed).toBe(false);
  stream.on("error", () => undefined).close();
  await once(waiting, "close");
});

test("a connection that sends the preface and nothing else is closed", async () => {
  const { port } = await start({ idleTimeoutMs: 100 });
  const socket = connect(port, "127.0.0.1");
  socket.resume().write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  await once(socket, "close");
});
