import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { connect as secureConnect } from "node:tls";
import { afterEach, expect, test } from "vitest";
import { authority } from "../testing/certificates.js";
import { createServerAdapter } from "./adapter.js";
import { connectionsAllowed } from "./descriptors.js";
import { Health, healthRoutes } from "./health.js";
import { type Listener, listen } from "./listen.js";

let listener: Listener | undefined;
const open: Socket[] = [];

afterEach(async () => {
  for (const socket of open.splice(0)) socket.destroy();
  await listener?.drain(0);
});

async function client(): Promise<Socket> {
  const socket = connect(listener!.port, "127.0.0.1").on("error", () => undefined);
  open.push(socket);
  await once(socket, "connect");
  return socket.resume();
}

async function secureClient(ca: string): Promise<Socket> {
  const socket = secureConnect({ port: listener!.port, host: "127.0.0.1", ca });
  open.push(socket);
  await once(socket, "secureConnect");
  return socket.resume();
}

test("three quarters of the descriptors are for connections, however few or many there are", () => {
  expect([1, 8, 256, 20_000, Number.POSITIVE_INFINITY].map((limit) => connectionsAllowed(1, limit))).toEqual([
    1, 6, 192, 10_000, 10_000,
  ]);
  expect(connectionsAllowed(2, 1024)).toBe(384);
  expect(connectionsAllowed()).toBeGreaterThan(64);
});

test.each(["in the clear", "with TLS"])(
  "idle connections make room for others, those in use do not, %s",
  async (how) => {
    const { cert: ca, issue } = await authority("connections");
    const handlers = createServerAdapter({ routes: healthRoutes(new Health()) });
    const tls = how === "with TLS" ? await issue("server") : undefined;
    listener = await listen({ ...handlers, host: "127.0.0.1", port: 0, maxConnections: 4, tls });
    const used = tls === undefined ? await client() : await secureClient(ca);
    const ask = async () => {
      used.write("GET /nothing HTTP/1.1\r\nhost: a\r\n\r\n");
      await once(used, "data");
    };
    await ask();
    const idle: Socket[] = [];
    for (let n = 0; n < 12; n++) {
      await ask();
      idle.push(await client());
      if (n >= 3) await once(idle[n - 3]!, "close");
    }
    await ask();
  },
);
