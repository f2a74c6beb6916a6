import { once } from "node:events";
import { request as httpRequest } from "node:http";
import { connect as connectHttp2 } from "node:http2";
import { connect, type Socket } from "node:net";
import { Code, type ConnectError, type ConnectRouter, createClient, type Transport } from "@connectrpc/connect";
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
  Http2SessionManager,
} from "@connectrpc/connect-node";
import { UserService } from "@shop/generated/shop/users/v1/users_pb.js";
import { afterEach, describe, expect, test } from "vitest";
import { rpcTransportOfSuite } from "../testing/rpc-transport.js";
import { createServerAdapter, type ServerAdapterOptions } from "./adapter.js";
import { type Listener, type ListenOptions, listen } from "./listen.js";

/** Holds calls in the server until the test lets them go; `entered` once as many as expected are held. */
class Gate {
  readonly entered: Promise<void>;
  readonly opened: Promise<void>;
  enter: () => void = () => undefined;
  open: () => void = () => undefined;

  constructor(expected = 1) {
    this.entered = new Promise((resolve) => {
      let held = 0;
      this.enter = () => ++held === expected && resolve();
    });
    this.opened = new Promise((resolve) => {
      this.open = resolve;
    });
  }
}

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function start(
  gate?: Gate,
  options?: Partial<ListenOptions>,
  answering?: Partial<ServerAdapterOptions>,
): Promise<Listener> {
  const routes = (router: ConnectRouter) =>
    router.service(UserService, {
      async getUser({ id }) {
        gate?.enter();
        await gate?.opened;
        return { id };
      },
      async *listUsers() {
        yield { id: "first" };
        gate?.enter();
        await gate?.opened;
        yield { id: "last" };
      },
      async createUsers(requests) {
        const users = [];
        for await (const { user } of requests) if (user) users.push(user);
        return { users };
      },
      async *chat(requests) {
        for await (const { author, text } of requests) yield { author, text };
      },
    });
  const handlers = createServerAdapter({ transport: rpcTransportOfSuite, routes, ...answering });
  const listener = await listen({ ...handlers, host: "127.0.0.1", port: 0, ...options });
  cleanups.push(() => listener.drain(0));
  return listener;
}

function grpcTo(listener: Listener) {
  const sessionManager = new Http2SessionManager(urlOf(listener));
  cleanups.push(() => sessionManager.abort());
  return {
    sessionManager,
    client: createClient(UserService, createGrpcTransport({ baseUrl: urlOf(listener), sessionManager })),
  };
}

function urlOf(listener: Listener): string {
  return `http://${listener.host}:${listener.port}`;
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const collected: T[] = [];
  for await (const item of items) collected.push(item);
  return collected;
}

async function raw(listener: Listener): Promise<{ socket: Socket; text: () => string; closed: Promise<unknown> }> {
  const socket = connect({ host: listener.host, port: listener.port, noDelay: true });
  cleanups.push(() => socket.destroy());
  let text = "";
  socket.setEncoding("latin1").on("data", (data) => {
    text += data;
  });
  const closed = new Promise((resolve) => socket.on("error", () => undefined).on("close", resolve));
  await once(socket, "connect");
  return { socket, text: () => text, closed };
}

const turn = () => new Promise((resolve) => setTimeout(resolve, 5));

describe("one port", () => {
  test.each<[string, (baseUrl: string) => Transport]>([
    ["gRPC over HTTP/2", (baseUrl) => createGrpcTransport({ baseUrl })],
    ["Connect over HTTP/2", (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "2" })],
    ["Connect over HTTP/1.1", (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "1.1" })],
    ["gRPC-Web over HTTP/1.1", (baseUrl) => createGrpcWebTransport({ baseUrl, httpVersion: "1.1" })],
  ])("answers %s", async (_name, transportTo) => {
    const client = createClient(UserService, transportTo(urlOf(await start())));
    const users = Array.from({ length: 3 }, (_, n) => ({ user: { displayName: `${n}`.repeat(100_000) } }));
    expect((await client.getUser({ id: "a" })).id).toBe("a");
    expect((await collect(client.listUsers({}))).map((user) => user.id)).toEqual(["first", "last"]);
    const created = await client.createUsers(
      (async function* () {
        yield* users;
      })(),
    );
    expect(created.users.map((user) => user.displayName)).toEqual(users.map(({ user }) => user.displayName));
  });

  test("answers both directions of a stream at once over HTTP/2", async () => {
    const { client } = grpcTo(await start());
    const answers: string[] = [];
    let next: (text: string | undefined) => void = () => undefined;
    async function* requests() {
      for (let text: string | undefined = "1"; text !== undefined; ) {
        yield { text };
        text = await new Promise<string | undefined>((resolve) => {
          next = resolve;
        });
      }
    }
    for await (const { text } of client.chat(requests())) {
      answers.push(text);
      await turn();
      next(answers.length < 3 ? `${answers.length + 1}` : undefined);
    }
    expect(answers).toEqual(["1", "2", "3"]);
  });

  test("answers the next request of a connection whose last one was not read to its end", async () => {
    const { socket, text } = await raw(await start(undefined, {}, { readMaxBytes: 1_000 }));
    const head = "POST /shop.users.v1.UserService/GetUser HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n";
    // More than the buffers of a socket and of a stream hold.
    const spaces = " ".repeat(1_000_000);
    socket.write(`${head}transfer-encoding: chunked\r\n\r\n${spaces.length.toString(16)}\r\n${spaces}\r\n0\r\n\r\n`);
    socket.write(`${head}content-length: 10\r\n\r\n{"id":"b"}`);
    while (!text().includes('{"id":"b"}')) await once(socket, "data");
    expect(text().match(/HTTP\/1\.1 \d+/g)).toEqual(["HTTP/1.1 429", "HTTP/1.1 200"]);
  });

  test("a server of its own may answer HTTP/1.1", async () => {
    const { createServer } = await import("node:http");
    const http1Server = createServer((_request, response) => response.end("mine"));
    const listener = await start(undefined, { http1: undefined, http1Server });
    expect(await (await fetch(urlOf(listener))).text()).toBe("mine");
    expect((await grpcTo(listener).client.getUser({ id: "a" })).id).toBe("a");
  });

  test("a taken port is refused with its number and the way out", async () => {
    const { port } = await start();
    await expect(start(undefined, { port })).rejects.toThrow(
      `port ${port} on 127.0.0.1 is taken: stop what listens there, or choose another with PORT`,
    );
    await expect(start(undefined, { host: "192.0.2.1" })).rejects.toThrow(
      "192.0.2.1 is not an address of this machine",
    );
  });
});

describe("first bytes", () => {
  const get = "GET /nothing HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";

  test.each([
    ["one at a time", get.split("")],
    ["which begin like HTTP/2's", ["P", "RI /nothing HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"]],
    ["together with a second request", [`GET /a HTTP/1.1\r\nhost: a\r\n\r\n${get}`]],
  ])("of HTTP/1.1 %s are answered", async (_name, chunks) => {
    const { socket, text, closed } = await raw(await start());
    for (const chunk of chunks) {
      socket.write(chunk);
      await turn();
    }
    await closed;
    // An unknown method is refused by the HTTP/1.1 parser, which shows that it was asked.
    expect(text()).toMatch(/^HTTP\/1\.1 (404|400)/);
    expect(text().match(/HTTP\/1\.1 \d/g)).toHaveLength(chunks[0]?.startsWith("GET /a") ? 2 : 1);
  });

  test("of HTTP/2, cut anywhere, are answered", async () => {
    const listener = await start();
    const upstream = await raw(listener);
    upstream.socket.write("PRI * HTTP/2.0\r\n\r");
    await turn();
    upstream.socket.write("\nSM\r\n\r\n");
    await turn();
    upstream.socket.write(Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0])); // an empty SETTINGS frame
    await once(upstream.socket, "data");
    // The server's own SETTINGS frame: nine bytes of header, of type 4, on stream 0.
    expect(Buffer.from(upstream.text(), "latin1").subarray(3, 9)).toEqual(Buffer.from([4, 0, 0, 0, 0, 0]));
  });

  test.each([
    ["a silent peer", ""],
    ["a peer that stops inside the preface", "PRI * HT"],
  ])("%s is closed", async (_name, bytes) => {
    const { socket, text, closed } = await raw(await start(undefined, { openingTimeoutMs: 20 }));
    socket.write(bytes);
    await closed;
    expect(text()).toBe("");
  });

  test("noise, a reset and an early end harm nothing", async () => {
    const listener = await start();
    const noise = await raw(listener);
    noise.socket.write(Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc])); // what a TLS client would say
    await noise.closed;
    expect(noise.text()).toMatch(/^HTTP\/1\.1 400/);
    const reset = await raw(listener);
    reset.socket.resetAndDestroy();
    const ended = await raw(listener);
    ended.socket.end("PRI");
    await Promise.all([reset.closed, ended.closed]);
    expect((await grpcTo(listener).client.getUser({ id: "a" })).id).toBe("a");
  });
});

describe("drain", () => {
  test("lets unary and streaming calls end, over HTTP/2 and HTTP/1.1, and takes no more", async () => {
    const gate = new Gate(4);
    const listener = await start(gate);
    const http1 = createClient(UserService, createConnectTransport({ baseUrl: urlOf(listener), httpVersion: "1.1" }));
    const { client } = grpcTo(listener);
    const calls = [
      client.getUser({ id: "a" }).then((user) => user.id),
      http1.getUser({ id: "b" }).then((user) => user.id),
      collect(client.listUsers({})).then((users) => users.length),
      collect(http1.listUsers({})).then((users) => users.length),
    ];
    await gate.entered;
    const drained = listener.drain(5_000);
    await expect(raw(listener)).rejects.toMatchObject({ code: "ECONNREFUSED" });
    gate.open();
    expect(await Promise.all(calls)).toEqual(["a", "b", 2, 2]);
    await drained;
  });

  test("closes idle connections at once", async () => {
    const listener = await start();
    const { client } = grpcTo(listener);
    await client.getUser({ id: "a" });
    const idle = await raw(listener);
    idle.socket.write("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    await once(idle.socket, "data");
    const silent = await raw(listener);
    await listener.drain(5_000);
    await Promise.all([idle.closed, silent.closed]);
  });

  test("does not wait for an HTTP/2 peer that has closed its half", async () => {
    const listener = await start();
    const socket = connect(listener.port, "127.0.0.1");
    cleanups.push(() => socket.destroy());
    const closed = once(socket, "close");
    // The preface, and an empty SETTINGS frame.
    socket.write(
      Buffer.concat([Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0])]),
    );
    await once(socket, "data");
    socket.resume().end();
    await closed;
    await listener.drain(60_000);
  });

  test("tells HTTP/1.1 callers to close", async () => {
    const gate = new Gate();
    const listener = await start(gate);
    const request = httpRequest(`${urlOf(listener)}/shop.users.v1.UserService/GetUser`, {
      method: "POST",
      headers: { "content-type": "application/json", connection: "keep-alive" },
    }).end("{}");
    await gate.entered;
    const drained = listener.drain(5_000);
    gate.open();
    const [response] = await once(request, "response");
    expect(response.headers.connection).toBe("close");
    response.resume();
    await drained;
  });

  test("answers calls that were on their way when it began", async () => {
    const listener = await start();
    const session = connectHttp2(urlOf(listener));
    cleanups.push(() => session.destroy());
    await once(session, "remoteSettings");
    const statuses = Array.from({ length: 50 }, async () => {
      const stream = session.request({ ":path": "/nothing" }).resume();
      const [headers] = await once(stream, "response");
      return headers[":status"];
    });
    await listener.drain(5_000);
    expect(await Promise.all(statuses)).toEqual(Array(50).fill(404));
  });

  test("answers the first call of a connection that was opened just before", async () => {
    const listener = await start();
    const http1 = await raw(listener);
    // Connections are accepted in their order: once this one has been served, the other is known too.
    await grpcTo(listener).client.getUser({ id: "a" });
    const drained = listener.drain(5_000);
    http1.socket.write("GET /nothing HTTP/1.1\r\nhost: a\r\n\r\n");
    await http1.closed;
    expect(http1.text()).toMatch(/^HTTP\/1\.1 404[\s\S]*connection: close/i);
    await drained;
  });

  test("cuts what is left when its time is over", async () => {
    const gate = new Gate();
    const listener = await start(gate);
    const { client } = grpcTo(listener);
    const call = client.getUser({ id: "a" }).catch((error: ConnectError) => error.code);
    await gate.entered;
    await listener.drain(10);
    expect(await call).not.toBe(Code.DeadlineExceeded);
    await listener.drain(10);
  });
});
