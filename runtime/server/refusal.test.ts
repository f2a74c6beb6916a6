import { connect, constants } from "node:http2";
import { connect as connectTcp } from "node:net";
import { text } from "node:stream/consumers";
import { UserService } from "@shop/generated/shop/users/v1/users_pb.js";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ask } from "../testing/ask.js";
import { createServerAdapter } from "./adapter.js";
import { type Listener, listen } from "./listen.js";

const path = "/shop.users.v1.UserService/GetUser";

describe.each(["native", "node"] as const)("a service whose transport is %s", (transport) => {
  let listener: Listener;
  let origin: string;
  beforeAll(async () => {
    const routes = createServerAdapter({
      transport,
      routes: (router) => router.service(UserService, { getUser: ({ id }) => ({ id }), createUser: () => ({}) }),
    });
    listener = await listen({ ...routes, host: "127.0.0.1", port: 0 });
    origin = `http://127.0.0.1:${listener.port}`;
  });
  afterAll(() => listener.drain(0));

  describe.each(["1.1", "2"] as const)("over HTTP/%s", (version) => {
    test.each([
      ["DELETE", path, "POST, GET"],
      ["GET", path.replace("GetUser", "CreateUser"), "POST"],
    ])("says to %s %s what it answers", async (method, target, allow) => {
      const { status, headers, body } = await ask(origin, { version, method, target });
      expect([status, headers.allow]).toEqual([405, allow]);
      expect([headers["content-type"], body]).toEqual([
        "text/plain; charset=utf-8",
        `${target} does not answer ${method}, but ${allow}\n`,
      ]);
    });

    test("says to HEAD nothing but which methods it answers", async () => {
      const { status, headers, body } = await ask(origin, { version, method: "HEAD", target: path });
      expect([status, headers.allow, body]).toEqual([405, "POST, GET", ""]);
    });

    test("says which content types it takes", async () => {
      const headers = { "content-type": "text/plain" };
      const { status, body } = await ask(origin, { version, method: "POST", target: path, headers, body: "{}" });
      expect(status).toBe(415);
      expect(body).toContain("takes application/json");
    });
  });

  test.each(["http://127.0.0.1/", "shop", "*"])("takes no :path that is none: %s", async (target) => {
    const session = connect(origin);
    const stream = session.request({ ":method": "POST", ":path": target, "content-type": "application/json" });
    stream.on("error", () => undefined).end("{}");
    await new Promise((resolve) => stream.once("close", resolve));
    expect(stream.rstCode).toBe(constants.NGHTTP2_PROTOCOL_ERROR);
    session.destroy();
  });

  test("takes none under another scheme", async () => {
    const session = connect(origin);
    const stream = session.request({ ":method": "GET", ":scheme": "x", ":path": "shop" }).on("error", () => undefined);
    let status: number | undefined;
    stream.once("response", (headers) => {
      status = headers[":status"];
    });
    await new Promise((resolve) => stream.resume().once("close", resolve));
    expect(status ?? stream.rstCode).toBe(transport === "native" ? constants.NGHTTP2_PROTOCOL_ERROR : 400);
    session.destroy();
  });

  test("takes no transfer coding that it would not undo", async () => {
    const socket = connectTcp(listener.port, "127.0.0.1");
    socket.write(
      `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n`,
    );
    expect(await text(socket)).toMatch(/^HTTP\/1\.1 501 .*"code":12,/s);
  });
});
