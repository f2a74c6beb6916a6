import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Http2ServerRequest, Http2ServerResponse } from "node:http2";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { connect as connectTls } from "node:tls";
import { expect, onTestFinished, test } from "vitest";
import { Flag, FrameType } from "../http2/frames.js";
import { frame, Peer } from "../http2/testing/peer.js";
import { authority } from "../testing/certificates.js";
import { listen } from "./listen.js";

interface Body {
  readonly text: string;
  readonly chunks: number;
}

/** A listener that keeps bodies until they are whole, as most handlers do, and reads them at its own pace. */
async function start(tls?: { cert: string; key: string }, pause?: () => Promise<unknown>) {
  const bodies: Body[] = [];
  const handle = async (
    request: IncomingMessage | Http2ServerRequest,
    response: ServerResponse | Http2ServerResponse,
  ) => {
    let text = "";
    let chunks = 0;
    for await (const chunk of request) {
      text += chunk;
      chunks++;
      await pause?.();
    }
    bodies.push({ text, chunks });
    response.end();
  };
  const listener = await listen({ http1: handle, http2: handle, tls, host: "127.0.0.1", port: 0 });
  onTestFinished(() => listener.drain(0));
  return { bodies, port: listener.port };
}

const bytes = Array.from({ length: 40_000 }, (_, at) => "abcdefghij"[at % 10]!);
const text = bytes.join("");
const head = "POST / HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n";
const request = `${head}${bytes.map((byte) => `1\r\n${byte}\r\n`).join("")}0\r\n\r\n`;

/** A body of which each byte is a chunk must not be kept as so many objects. */
function expectFew(bodies: readonly Body[]): void {
  expect(bodies).toHaveLength(1);
  expect(bodies[0]!.text).toBe(text);
  expect(bodies[0]!.chunks).toBeLessThan(400);
}

test("a body in chunks of one byte is read in few chunks over HTTP/1.1", async () => {
  const { bodies, port } = await start();
  const socket = connect(port, "127.0.0.1");
  onTestFinished(() => void socket.destroy());
  socket.write(request);
  await once(socket, "data");
  expectFew(bodies);
});

test("a body in chunks of one byte is read in few chunks over HTTP/1.1 with TLS", async () => {
  const ours = await authority("ours");
  const { bodies, port } = await start(await ours.issue("a"));
  const socket = connectTls({ port, host: "127.0.0.1", ca: ours.cert });
  onTestFinished(() => void socket.destroy());
  await once(socket, "secureConnect");
  socket.write(request);
  await once(socket, "data");
  expectFew(bodies);
});

test("a body in DATA of one byte each is read in few chunks over node:http2", async () => {
  const { bodies, port } = await start();
  const peer = await Peer.connect(port);
  onTestFinished(() => void peer.socket.destroy());
  peer.write(peer.call(1, "/"), ...bytes.map((byte) => frame(FrameType.DATA, 0, 1, Buffer.from(byte))));
  peer.write(frame(FrameType.DATA, Flag.END_STREAM, 1));
  await expect.poll(() => bodies.length).toBe(1);
  expectFew(bodies);
});

test("a body in small chunks waits for a slow reader, and its sender with it", async () => {
  const { bodies, port } = await start(undefined, () => sleep(1));
  const socket = connect(port, "127.0.0.1");
  onTestFinished(() => void socket.destroy());
  const part = Buffer.from("100\r\n".concat("x".repeat(256), "\r\n").repeat(1_000));
  socket.write(head);
  for (let sent = 0; sent < 20; sent++) socket.write(part);
  socket.write("0\r\n\r\n");
  await once(socket, "data");
  expect(bodies[0]!.text).toBe("x".repeat(256 * 20_000));
});

test("small chunks that come apart are read as they come", async () => {
  const got: string[] = [];
  let answered: (() => void) | undefined;
  const { port } = await start(undefined, async () => answered?.());
  const socket = connect({ port, host: "127.0.0.1", noDelay: true });
  onTestFinished(() => void socket.destroy());
  socket.write(head);
  for (const word of ["one", "two", "three"]) {
    const read = new Promise<void>((resolve) => {
      answered = resolve;
    });
    socket.write(`${word.length.toString(16)}\r\n${word}\r\n`);
    await read;
    got.push(word);
  }
  expect(got).toEqual(["one", "two", "three"]);
  socket.write("0\r\n\r\n");
  await once(socket, "data");
});
