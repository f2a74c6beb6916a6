import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { UserService } from "@shop/generated/shop/users/v1/users_pb.js";
import { afterEach, beforeEach, expect, test } from "vitest";
import { FrameType } from "../http2/frames.js";
import { frame } from "../http2/testing/peer.js";
import { createNativeTransport } from "./client-transport.js";

let server: Server;
let baseUrl: string;
beforeEach(async () => {
  server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(() => server.close());

const codeOf = (call: Promise<unknown>) =>
  call.then(
    () => undefined,
    (reason) => Code[ConnectError.from(reason).code],
  );

test("a transport that is closed while it connects keeps no connection", async () => {
  const transport = createNativeTransport(baseUrl);
  const call = codeOf(createClient(UserService, transport).getUser({ id: "a" }));
  const [socket] = (await once(server, "connection")) as [Socket];
  socket.on("error", () => undefined);
  const closed = once(socket, "close");
  transport.close();
  expect(await call).toBe("Canceled");
  // The peer's first words come too late to make it one that is used.
  socket.write(frame(FrameType.SETTINGS, 0, 0, Buffer.alloc(0)));
  socket.resume();
  await closed;
}, 10_000);

test("a transport that was closed takes no more calls", async () => {
  const transport = createNativeTransport(baseUrl);
  transport.close();
  expect(await codeOf(createClient(UserService, transport).getUser({ id: "a" }))).toBe("Canceled");
}, 10_000);
