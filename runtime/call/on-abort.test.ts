import { getEventListeners } from "node:events";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { UserService } from "@shop/generated/shop/users/v1/users_pb.js";
import { expect, test } from "vitest";
import { createNativeTransport } from "../grpc/client-transport.js";
import { createServerAdapter } from "../server/adapter.js";
import { handlerRoutes } from "../server/handlers.js";
import { listen } from "../server/listen.js";
import { onAbort } from "./on-abort.js";

test("however many wait for a signal, it has one listener, and none once all are gone", () => {
  const controller = new AbortController();
  const { signal } = controller;
  const seen: number[] = [];
  const forget = Array.from({ length: 20 }, (_, each) => onAbort(signal, () => seen.push(each)));
  expect(getEventListeners(signal, "abort")).toHaveLength(1);
  for (const each of forget.slice(0, 19)) each();
  expect(getEventListeners(signal, "abort")).toHaveLength(1);
  forget[19]?.();
  expect(getEventListeners(signal, "abort")).toHaveLength(0);
  onAbort(signal, () => seen.push(100));
  const last = onAbort(signal, () => seen.push(101));
  onAbort(signal, () => {
    last();
    seen.push(102);
  });
  controller.abort();
  expect(seen).toEqual([100, 101, 102]);
  expect(getEventListeners(signal, "abort")).toHaveLength(0);
});

test("neither many streams of a service nor many calls with one signal are taken for a leak", async () => {
  const warnings: string[] = [];
  const warned = ({ name }: Error) => warnings.push(name);
  process.on("warning", warned);
  const draining = new AbortController();
  const others = Object.fromEntries(UserService.methods.map(({ localName }) => [localName, () => ({})]));
  const handlers = {
    ...others,
    async *listUsers() {
      yield { id: "a" };
      await new Promise(() => undefined);
    },
  };
  const log = { error() {} } as never;
  const listener = await listen({
    ...createServerAdapter({
      routes: handlerRoutes({ service: UserService, policy: {}, name: "users" } as never, handlers, {
        log,
        draining: draining.signal,
      }),
    }),
    host: "127.0.0.1",
    port: 0,
  });
  const transport = createNativeTransport(`http://127.0.0.1:${listener.port}`);
  const users = createClient(UserService, transport);
  const { signal } = new AbortController();
  const streams = Array.from({ length: 20 }, () => users.listUsers({}, { signal })[Symbol.asyncIterator]());
  await Promise.all(streams.map((stream) => stream.next()));
  draining.abort();
  const ends = await Promise.all(
    streams.map((stream) => stream.next().catch((error) => ConnectError.from(error).code)),
  );
  expect(new Set(ends)).toEqual(new Set([Code.Unavailable]));
  transport.close();
  await listener.drain(1_000);
  process.off("warning", warned);
  expect(warnings).toEqual([]);
});
