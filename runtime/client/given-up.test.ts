import { setMaxListeners } from "node:events";
import { createClient, type Transport } from "@connectrpc/connect";
import { UserService } from "@shop/generated/shop/users/v1/users_pb.js";
import { afterEach, expect, test } from "vitest";
import { createNativeTransport } from "../grpc/client-transport.js";
import { createServerAdapter } from "../server/adapter.js";
import { listen } from "../server/listen.js";
import { NodeSessions } from "./node-sessions.js";
import { nodeGrpcTransport } from "./node-transport.js";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const transports: [string, (baseUrl: string) => Transport][] = [
  [
    "native",
    (baseUrl) => {
      const transport = createNativeTransport(baseUrl);
      cleanups.push(transport.close);
      return transport;
    },
  ],
  [
    "node",
    (baseUrl) => {
      const sessions = new NodeSessions(baseUrl, { pingIntervalMs: 10_000, pingTimeoutMs: 10_000 });
      cleanups.push(() => sessions.abort());
      return nodeGrpcTransport(baseUrl, sessions);
    },
  ],
];

/** Each kind of client, before each kind of server: both end a connection with too many resets. */
const pairs = transports.flatMap(([name, to]) =>
  (["native", "node"] as const).map((transport) => [name, transport, to] as const),
);

test.each(pairs)(
  "calls that are given up by the thousand, of %s to %s, end no one else's",
  async (_, transport, to) => {
    let running = 0;
    let ended = 0;
    const handlers = createServerAdapter({
      transport,
      routes: (router) =>
        router.service(UserService, {
          getUser: ({ id }) => ({ id }),
          async *listUsers(_, { signal }) {
            running++;
            await new Promise((resolve) => signal.addEventListener("abort", resolve));
            running--;
            ended++;
          },
          async *chat(requests) {
            for await (const { text } of requests) yield { text };
          },
        }),
    });
    const service = await listen({ ...handlers, host: "127.0.0.1", port: 0 });
    cleanups.push(() => service.drain(0));
    const client = createClient(UserService, to(`http://127.0.0.1:${service.port}`));
    let say: (text: string) => void = () => undefined;
    async function* requests() {
      for (let text = "first"; ; ) {
        yield { text };
        text = await new Promise<string>((resolve) => {
          say = resolve;
        });
      }
    }
    const stream = client.chat(requests())[Symbol.asyncIterator]();
    expect((await stream.next()).value).toMatchObject({ text: "first" });

    for (let batch = 0; batch < 12; batch++) {
      const leave = new AbortController();
      setMaxListeners(0, leave.signal);
      const calls = Array.from({ length: 100 }, () =>
        client
          .listUsers({}, { signal: leave.signal })
          [Symbol.asyncIterator]()
          .next()
          .catch(() => undefined),
      );
      while (running + ended < 100 * (batch + 1)) await new Promise((resolve) => setTimeout(resolve, 1));
      leave.abort();
      await Promise.all(calls);
      expect(await client.getUser({ id: "a" })).toMatchObject({ id: "a" });
    }
    say("last");
    expect((await stream.next()).value).toMatchObject({ text: "last" });
    // What was given up ends in its turn.
    const left = running;
    while (running > Math.max(0, left - 10)) await new Promise((resolve) => setTimeout(resolve, 20));
  },
);
