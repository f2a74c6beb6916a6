import { once } from "node:events";
import { connect, createServer } from "node:net";
import type { TlsOptions } from "node:tls";
import { Code, ConnectError } from "@connectrpc/connect";
import { UserService } from "@shop/generated/shop/users/v1/users_pb.js";
import { afterEach, describe, expect, test, vi } from "vitest";
import { failureOf } from "../call/failure.js";
import { rpcTransports } from "../config/transport.js";
import { createServerAdapter } from "../server/adapter.js";
import { listen } from "../server/listen.js";
import { authority } from "../testing/certificates.js";
import { type ClientOptions, createServiceClient } from "./client.js";
import { Connections } from "./connections.js";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  vi.unstubAllEnvs();
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function start(tls?: TlsOptions): Promise<number> {
  const handlers = createServerAdapter({
    routes: (router) =>
      router.service(UserService, {
        getUser: ({ id }) => ({ id }),
        async *listUsers(_, { signal }) {
          yield { id: "first" };
          await once(signal, "abort");
        },
      }),
  });
  const listener = await listen({ ...handlers, tls, host: "127.0.0.1", port: 0 });
  cleanups.push(() => listener.drain(0));
  return listener.port;
}

function client(options: ClientOptions) {
  const policy = { createUser: {}, getUser: {}, listUsers: {}, createUsers: {}, chat: {} };
  return createServiceClient(UserService, policy, options);
}

const ask = (options: ClientOptions) =>
  client(options)
    .getUser({ id: "a" })
    .then(
      ({ id }) => id,
      (error) => `${Code[ConnectError.from(error).code]}, ${failureOf(error)}`,
    );

describe.each(rpcTransports)("connections by %s", (transport) => {
  function connections(options: object = {}): Connections {
    const made = new Connections({ transport, ...options });
    cleanups.push(() => made.close());
    return made;
  }

  test("are one to each origin, whatever clients do with it", async () => {
    const port = await start();
    let opened = 0;
    const between = createServer((socket) => {
      opened++;
      const onward = connect(port, "127.0.0.1").on("error", () => undefined);
      socket.on("error", () => undefined);
      socket.pipe(onward).pipe(socket);
    }).listen(0, "127.0.0.1");
    cleanups.push(() => between.close());
    await once(between, "listening");
    const baseUrl = `http://127.0.0.1:${(between.address() as { port: number }).port}`;
    const shared = connections();
    const asked = [{ baseUrl }, { baseUrl }, { baseUrl, compress: true }, { baseUrl: `${baseUrl}/` }];
    for (const options of asked) expect(await ask({ ...options, connections: shared })).toBe("a");
    expect(opened).toBe(1);
    expect(await ask({ baseUrl, connections: connections() })).toBe("a");
    expect(opened).toBe(2);
  });

  test("end with every call that is open when they are closed", async () => {
    const baseUrl = `http://127.0.0.1:${await start()}`;
    const closed = connections();
    const users = client({ baseUrl, connections: closed }).listUsers({})[Symbol.asyncIterator]();
    expect((await users.next()).value).toMatchObject({ id: "first" });
    const next = users.next();
    closed.close();
    await expect(next).rejects.toThrow(ConnectError);
  });

  test("believe whom they are told to", async () => {
    const ours = await authority("ours");
    const baseUrl = `https://127.0.0.1:${await start(await ours.issue("users"))}`;
    expect(await ask({ baseUrl, connections: connections({ tls: { ca: ours.cert } }) })).toBe("a");
    expect(await ask({ baseUrl, connections: connections() })).toBe("Unavailable, untrusted");
    expect(await ask({ baseUrl })).toBe("Unavailable, untrusted");
  });
});

test("a client without any calls whatever the environment says", async () => {
  vi.stubEnv("RPC_TRANSPORT", "none");
  vi.stubEnv("RPC_COMPRESSION", "none");
  vi.stubEnv("TLS_CA_FILE", "none");
  expect(await ask({ baseUrl: `http://127.0.0.1:${await start()}` })).toBe("a");
});
