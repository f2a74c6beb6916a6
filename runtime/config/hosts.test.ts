import { Code } from "@connectrpc/connect";
import { UserService } from "@shop/generated/shop/users/v1/users_pb.js";
import { afterEach, describe, expect, test } from "vitest";
import { startGatewayTo } from "../gateway/testing/gateway.js";
import { ErrorCode } from "../http2/errors.js";
import { Flag, FrameType, readUint32 } from "../http2/frames.js";
import { frame, Peer } from "../http2/testing/peer.js";
import { createServerAdapter } from "../server/adapter.js";
import { listen } from "../server/listen.js";
import { ask } from "../testing/ask.js";
import { EnvironmentError, readEnvironment } from "./environment.js";
import { allowedHostsVariable, Hosts } from "./hosts.js";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function service(transport: "native" | "node"): Promise<string> {
  const hosts = Hosts.of("127.0.0.1", ["shop.example"]);
  const pages = { "/metrics": { contentType: "text/plain", text: () => "a 1\n" } };
  const routes = createServerAdapter({ routes: (router) => router.service(UserService, {}), pages, transport, hosts });
  const { port, drain } = await listen({ ...routes, hosts, host: "127.0.0.1", port: 0 });
  cleanups.push(() => drain(0));
  return `http://127.0.0.1:${port}`;
}

async function gateway(): Promise<string> {
  const { port, stop } = await startGatewayTo("http://127.0.0.1:1", { allowedHosts: ["shop.example"] });
  cleanups.push(stop);
  return `http://127.0.0.1:${port}`;
}

describe.each([
  ["a gateway", gateway, "/healthz"],
  ["a service", () => service("native"), "/metrics"],
  ["a service over node:http2", () => service("node"), "/metrics"],
])("%s that listens on the loopback interface", (_, start, target) => {
  const headers = (version: "1.1" | "2", host: string) => ({ [version === "2" ? ":authority" : "host"]: host });

  test.each(["1.1", "2"] as const)("is asked for by its own names alone, over HTTP/%s", async (version) => {
    const origin = await start();
    for (const host of ["localhost", "localhost:8080", "127.0.0.1", "127.1.2.3:1", "[::1]:80", "SHOP.example.:80"]) {
      expect([host, (await ask(origin, { version, target, headers: headers(version, host) })).status]).toEqual([
        host,
        200,
      ]);
    }
    for (const host of ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example:80", "10.0.0.1", "[::2]"]) {
      const { status, body } = await ask(origin, { version, target, headers: headers(version, host) });
      expect([host, status]).toEqual([host, 421]);
      const message = `"${host}" is no host of this process: ask for localhost, or name it in ALLOWED_HOSTS`;
      expect(JSON.parse(body)).toEqual({ code: Code.PermissionDenied, message, details: [] });
    }
  });

  test("looks at the host of a URL, not at the header beside it", async () => {
    const origin = await start();
    const ofUrl = (host: string) =>
      ({ version: "1.1", target: `http://${host}${target}`, headers: { host: "localhost" } }) as const;
    expect((await ask(origin, ofUrl("localhost"))).status).toBe(200);
    expect((await ask(origin, ofUrl("evil.example"))).status).toBe(421);
  });
});

test.each(["native", "node"] as const)("two Host fields over HTTP/2 are malformed: %s", async (transport) => {
  const peer = await Peer.connect(Number(new URL(await service(transport)).port));
  cleanups.push(() => peer.socket.destroy());
  const fields = [":method", "GET", ":scheme", "http", ":path", "/metrics", "host", "localhost", "host", "localhost"];
  peer.write(frame(FrameType.HEADERS, Flag.END_HEADERS | Flag.END_STREAM, 1, peer.block(fields)));
  const reset = await peer.next(({ type, stream }) => stream === 1 && type !== FrameType.WINDOW_UPDATE);
  expect([reset?.type, reset && readUint32(reset.payload, 0)]).toEqual([
    FrameType.RST_STREAM,
    ErrorCode.PROTOCOL_ERROR,
  ]);
});

describe("the hosts that may be asked for", () => {
  const allows = (address: string, allowed: string[], host: string) => Hosts.of(address, allowed)?.allows(host) ?? true;

  test.each([
    ["127.0.0.1", [], "evil.example", false],
    ["localhost", [], "evil.example", false],
    ["::1", [], "evil.example", false],
    ["127.0.0.1", ["*"], "evil.example", true],
    ["0.0.0.0", [], "evil.example", true],
    ["10.0.0.1", ["shop.example"], "evil.example", false],
    ["10.0.0.1", ["shop.example"], "shop.example:443", true],
    ["10.0.0.1", ["shop.example"], "10.0.0.1:8080", true],
    ["10.0.0.1", ["shop.example"], "[fe80::1]", true],
  ])("on %s with %j: %s: %s", (address, allowed, host, expected) => {
    expect(allows(address, allowed, host)).toBe(expected);
  });

  test("are read from the environment", () => {
    const read = (text: string) => readEnvironment({ hosts: allowedHostsVariable }, { hosts: text }).hosts;
    expect(read("Shop.example, www.shop.example")).toEqual(["shop.example", "www.shop.example"]);
    for (const text of ["http://shop.example", "shop.example:80", "a b", "a,,b"])
      expect(() => read(text)).toThrow(EnvironmentError);
  });
});
