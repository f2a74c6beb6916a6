import { type ChildProcess, fork } from "node:child_process";
import { EventEmitter, once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { connect } from "node:tls";
import { Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { UserService } from "@shop/generated/shop/users/v1/users_pb.js";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { failureOf } from "../call/failure.js";
import { startGatewayTo } from "../gateway/testing/gateway.js";
import { createNativeTransport } from "../grpc/client-transport.js";
import { defaultLimits } from "../http2/limits.js";
import { createServerAdapter } from "../server/adapter.js";
import { listen } from "../server/listen.js";
import { type Authority, authority, type Identity } from "../testing/certificates.js";
import { builtProgram } from "../testing/program.js";

const program = await builtProgram(new URL("../testing/users-process.ts", import.meta.url));
let folder: string;
let ours: Authority;
let theirs: Authority;
let service: Identity;
let caller: Identity;
let stranger: Identity;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "tls-"));
  [ours, theirs] = await Promise.all([authority("ours"), authority("theirs")]);
  [service, caller, stranger] = await Promise.all([ours.issue("a"), ours.issue("b"), theirs.issue("c")]);
  for (const [name, content] of Object.entries({
    "ca.crt": ours.cert,
    "theirs.crt": theirs.cert,
    "tls.crt": service.cert,
    "tls.key": service.key,
    "stranger.crt": stranger.cert,
    "stranger.key": stranger.key,
  })) {
    await writeFile(join(folder, name), content);
  }
});
afterAll(() => rm(folder, { recursive: true }));

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function run(env: NodeJS.ProcessEnv): ChildProcess {
  const paths = Object.entries(env).map(([name, value]) => [
    name,
    name.endsWith("_FILE") ? join(folder, value!) : value,
  ]);
  const child = fork(program, {
    execArgv: [],
    env: { ...process.env, PORT: "0", NEXT_URL: "http://127.0.0.1:1", ...Object.fromEntries(paths) },
    stdio: ["ignore", "pipe", "pipe", "ipc"],
  });
  cleanups.push(async () => {
    if (child.exitCode === null && child.kill("SIGKILL")) await once(child, "exit");
  });
  return child;
}

/** Starts a service, and answers with its port. */
async function start(env: NodeJS.ProcessEnv): Promise<number> {
  const child = run(env);
  for await (const line of createInterface(child.stdout!)) {
    const { msg, port } = JSON.parse(line);
    if (msg === "listening") return port;
  }
  throw new Error(await text(child.stderr!));
}

const secure = { TLS_CERT_FILE: "tls.crt", TLS_KEY_FILE: "tls.key" };
const mutual = { ...secure, TLS_CLIENT_CA_FILE: "ca.crt", TLS_CA_FILE: "ca.crt" };

const ask = (transport: Transport, id: string) =>
  createClient(UserService, transport)
    .getUser({ id }, { timeoutMs: 5_000 })
    .then(
      (user) => user.id,
      (error) => `${Code[ConnectError.from(error).code]}, ${failureOf(error)}`,
    );

function native(port: number, tls: object): Transport {
  const transport = createNativeTransport(`https://127.0.0.1:${port}`, { tls });
  cleanups.push(() => transport.close());
  return transport;
}

test("whoever has read all is not taken for one who reads nothing", async () => {
  const limits = { ...defaultLimits, stallTimeoutMs: 50 };
  const handlers = createServerAdapter({
    transport: "native",
    limits,
    routes: (router) =>
      router.service(UserService, {
        async getUser({ id }) {
          await sleep(5 * limits.stallTimeoutMs);
          return { id };
        },
      }),
  });
  const listener = await listen({ ...handlers, tls: service, host: "127.0.0.1", port: 0 });
  cleanups.push(() => listener.drain(1_000));
  const transport = createNativeTransport(`https://127.0.0.1:${listener.port}`, { tls: { ca: ours.cert }, limits });
  cleanups.push(() => transport.close());
  expect(await ask(transport, "a")).toBe("a");
});

test("over HTTP/1.1, a request of many TLS records may come while the answer before is being written", async () => {
  const body = "a".repeat(4_096);
  const answerSize = 4 * 2 ** 20;
  const answered = new EventEmitter();
  const listener = await listen({
    http1: async (request, response) => {
      expect(await text(request)).toBe(body);
      // More than the system keeps for a peer that does not read.
      response.setHeader("content-length", answerSize).end(Buffer.alloc(answerSize));
      answered.emit("one");
    },
    http2: () => undefined,
    tls: service,
    host: "127.0.0.1",
    port: 0,
  });
  cleanups.push(() => listener.drain(1_000));
  const socket = connect({ port: listener.port, host: "127.0.0.1", ca: ours.cert });
  cleanups.push(() => socket.destroy());
  await once(socket, "secureConnect");
  socket.setMaxSendFragment(512);
  const ask = () => socket.write(`POST / HTTP/1.1\r\nhost: a\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
  ask();
  await once(answered, "one");
  ask();
  let received = 0;
  for await (const chunk of socket) {
    received += chunk.length;
    if (received > 2 * answerSize) break;
  }
  expect(received).toBeGreaterThan(2 * answerSize);
});

/** The ports of four services: with a certificate, with callers' too, with the last of those behind it, and with that behind it mistrusted. */
async function startAll(RPC_TRANSPORT: string): Promise<readonly [number, number, number, number]> {
  const last = start({ ...mutual, RPC_TRANSPORT });
  const NEXT_URL = `https://127.0.0.1:${await last}`;
  return Promise.all([
    start({ ...secure, RPC_TRANSPORT }),
    last,
    start({ ...mutual, RPC_TRANSPORT, NEXT_URL }),
    start({ ...mutual, TLS_CA_FILE: "theirs.crt", RPC_TRANSPORT, NEXT_URL }),
  ]);
}

test.each(["native", "node"])("over RPC_TRANSPORT=%s", async (transport) => {
  const [open, last, first, mistaken] = await startAll(transport);
  const ca = ours.cert;

  // A port with a certificate speaks every protocol over TLS, and nothing without.
  const baseUrl = `https://127.0.0.1:${open}`;
  const nodeOptions = { ca };
  const transports = {
    native: native(open, nodeOptions),
    gRPC: createGrpcTransport({ baseUrl, nodeOptions }),
    "gRPC-Web": createGrpcWebTransport({ baseUrl, httpVersion: "1.1", nodeOptions }),
    "Connect, HTTP/2": createConnectTransport({ baseUrl, httpVersion: "2", nodeOptions }),
    "Connect, HTTP/1.1": createConnectTransport({ baseUrl, httpVersion: "1.1", nodeOptions }),
  };
  for (const [name, each] of Object.entries(transports)) expect([name, await ask(each, name)]).toEqual([name, name]);
  expect(await ask(native(open, {}), "a")).toBe("Unavailable, untrusted");
  expect(await ask(native(open, { ca: theirs.cert }), "a")).toBe("Unavailable, untrusted");
  expect(await ask(createNativeTransport(`http://127.0.0.1:${open}`), "a")).toBe("Unavailable, unreachable");

  // With TLS_CLIENT_CA_FILE it answers those alone for whom that vouches.
  expect(await ask(native(last, { ca, ...caller }), "a")).toBe("a");
  // To a stranger it hangs up without a word; to whoever shows nothing it sends TLS's alert.
  expect(await ask(native(last, { ca, ...stranger }), "a")).toBe("Unavailable, unreachable");
  expect(await ask(native(last, { ca }), "a")).toBe("Unavailable, untrusted");
  const over1 = (client: object) =>
    createConnectTransport({
      baseUrl: `https://127.0.0.1:${last}`,
      httpVersion: "1.1",
      nodeOptions: { ca, ...client },
    });
  expect(await ask(over1(caller), "a")).toBe("a");
  expect(await ask(over1(stranger), "a")).not.toBe("a");
  expect(await ask(over1({}), "a")).not.toBe("a");

  // Services call each other, each sure of the other, or not at all.
  expect(await ask(native(first, { ca, ...caller }), "next a")).toBe("a");
  const users = createClient(UserService, native(mistaken, { ca, ...caller }));
  expect(await users.getUser({ id: "next a" }).catch(ConnectError.from)).toMatchObject({
    code: Code.Unavailable,
    rawMessage: expect.stringMatching(/^shop\.users\.v1\.UserService cannot be reached over TLS: [A-Z_]+$/),
  });
});

test("RPC_TRANSPORT=own is native, and a warning says so", async () => {
  const child = run({ RPC_TRANSPORT: "own" });
  const lines: { msg: string; port?: number }[] = [];
  for await (const line of createInterface(child.stdout!)) {
    lines.push(JSON.parse(line));
    if (lines.at(-1)!.msg === "listening") break;
  }
  expect(lines.map(({ msg }) => msg)).toEqual([expect.stringContaining("RPC_TRANSPORT=native"), "listening"]);
  const transport = createNativeTransport(`http://127.0.0.1:${lines.at(-1)!.port}`);
  cleanups.push(() => transport.close());
  expect(await ask(transport, "a")).toBe("a");
});

test("a gateway serves TLS, and calls its services over it, for REST and for what it passes on", async () => {
  const port = await start(mutual);
  const gateway = await startGatewayTo(`https://127.0.0.1:${port}`, {
    tls: { TLS_CERT_FILE: service.cert, TLS_KEY_FILE: service.key, TLS_CA_FILE: ours.cert },
  });
  cleanups.push(() => gateway.stop());
  const ca = ours.cert;
  const answer = await new Promise<string>((resolve, reject) =>
    request({ host: "127.0.0.1", port: gateway.port, path: "/v1/users", ca }, (response) => resolve(text(response)))
      .on("error", reject)
      .end(),
  );
  expect(JSON.parse(answer).id).toBe("first");
  const baseUrl = `https://127.0.0.1:${gateway.port}`;
  expect(await ask(native(gateway.port, { ca }), "b")).toBe("b");
  expect(await ask(createConnectTransport({ baseUrl, httpVersion: "1.1", nodeOptions: { ca } }), "c")).toBe("c");
  expect(await ask(createNativeTransport(`http://127.0.0.1:${gateway.port}`), "d")).toBe("Unavailable, unreachable");
});

test("what is wrong with certificates is said at once, before anything is served", async () => {
  const wrong = { TLS_CERT_FILE: "none.crt", TLS_CLIENT_CA_FILE: "tls.key", PORT: "none" };
  const child = run(wrong);
  const said = await text(child.stderr!);
  expect(said.replaceAll(folder, "")).toBe(
    [
      "invalid environment:",
      '  PORT is "none": it must be a port number from 0 to 65535, such as 8081',
      '  TLS_CERT_FILE is "/none.crt": it must be a file of certificates (PEM), such as /etc/tls/tls.crt',
      "  TLS_KEY_FILE is not set, but TLS_CERT_FILE or TLS_CLIENT_CA_FILE is set: it must be a file with the private key of TLS_CERT_FILE (PEM), such as /etc/tls/tls.key",
      '  TLS_CLIENT_CA_FILE is "/tls.key": it must be a file of certificates (PEM), such as /etc/tls/tls.crt',
      "",
    ].join("\n"),
  );
  const mixed = run({ TLS_CERT_FILE: "tls.crt", TLS_KEY_FILE: "stranger.key" });
  expect(await text(mixed.stderr!)).toMatch(/TLS_KEY_FILE is ".*stranger\.key": .* the private key of TLS_CERT_FILE/);
});
