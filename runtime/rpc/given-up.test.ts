import { createClient, type Transport } from "@connectrpc/connect";
import { UserService } from "@shop/generated/shop/users/v1/users_pb.js";
import { afterEach, expect, test } from "vitest";
import { answer } from "./answer.js";
import { createOwnTransport } from "./grpc/client-transport.js";
import type { GrpcServer } from "./grpc/server.js";
import { listen } from "./listen.js";
import { NodeSessions } from "./node-sessions.js";
import { nodeGrpcTransport } from "./node-transport.js";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const transports: [string, (baseUrl: string) => Transport][] = [
  [
    "own",
    (baseUrl) => {
      const transport = createOwnTransport(baseUrl);
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

test.each(transports)(
  "calls that are given up by the thousand do not end those of others on the %s transport",
  async (_, to) => {
    let running = 0;
    const handlers = answer({
      transport: "own",
      routes: (router) =>
        router.service(UserService, {
          getUser: ({ id }) => ({ id }),
          async *listUsers(_, { signal }) {
            running++;
            await new Promise((resolve) => signal.addEventListener("abort", resolve));
            running--;
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

    for (let batch = 0; batch < 30; batch++) {
      const leave = new AbortController();
      const calls = Array.from({ length: 100 }, () =>
        client
          .listUsers({}, { signal: leave.signal })
          [Symbol.asyncIterator]()
          .next()
          .catch(() => undefined),
      );
      while ((handlers.http2 as GrpcServer).streams < 100) await new Promise((resolve) => setTimeout(resolve, 1));
      leave.abort();
      await Promise.all(calls);
    }
    say("last");
    expect((await stream.next()).value).toMatchObject({ text: "last" });
    expect((handlers.http2 as GrpcServer).connections).toBe(1);
    // What was given up ends in its turn: sooner if others complete calls.
    while (running > 0) await Promise.all(Array.from({ length: 100 }, () => client.getUser({ id: "a" })));
  },
);
