import { once } from "node:events";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { Code, createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import { OrderService } from "@shop/generated/shop/orders/v1/orders_pb.js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Health, HealthCheckResponse_ServingStatus as Status } from "../options/grpc/health/v1/health_pb.js";
import { ServerReflection } from "../options/grpc/reflection/v1/reflection_pb.js";
import { StaticFiles } from "./static.js";
import { startTestGateway, type TestGateway } from "./testing/gateway.js";

let gateway: TestGateway;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "gateway-"));
  await mkdir(join(folder, "web/assets"), { recursive: true });
  await writeFile(join(folder, "web/index.html"), "<h1>shop</h1>");
  await writeFile(join(folder, "web/assets/main.js"), "export {};");
  await writeFile(join(folder, "web/assets/a b.bin"), "bytes");
  await writeFile(join(folder, "web/assets/main.js.map"), '{"sourcesContent": ["secret"]}');
  await writeFile(join(folder, "web/assets/city.map"), "streets");
  await writeFile(join(folder, "web/.hidden"), "secret");
  await writeFile(join(folder, "secret.txt"), "secret");
  await symlink(join(folder, "secret.txt"), join(folder, "web/link.txt"));
  gateway = await startTestGateway(
    (router) =>
      router.service(OrderService, {
        async *watchOrder({ id }, { signal }) {
          yield { id };
          await once(signal, "abort");
        },
      }),
    { web: pathToFileURL(`${folder}/web/`), drainTimeoutMs: 10_000 },
  );
});
afterAll(async () => {
  await gateway.stop();
  await rm(folder, { recursive: true });
});

describe("health", () => {
  it.each([
    ["HTTP/1.1", () => createConnectTransport({ baseUrl: gateway.url, httpVersion: "1.1" })],
    ["HTTP/2", () => createGrpcTransport({ baseUrl: gateway.url })],
  ])("is asked over %s", async (_, transport) => {
    expect((await createClient(Health, transport()).check({})).status).toBe(Status.SERVING);
  });

  it("is asked in plain HTTP", async () => {
    const check = await fetch(`${gateway.url}/grpc.health.v1.Health/Check`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: "{}",
    });
    expect(await check.json()).toEqual({ status: "SERVING" });
    for (const path of ["/healthz", "/readyz"]) {
      const answer = await fetch(gateway.url + path);
      expect([answer.status, await answer.json()]).toEqual([200, { status: "SERVING" }]);
    }
  });
});

it("reflects the services behind it", async () => {
  const client = createClient(ServerReflection, createGrpcTransport({ baseUrl: gateway.url }));
  async function* requests() {
    yield { messageRequest: { case: "listServices" as const, value: "" } };
  }
  for await (const { messageResponse } of client.serverReflectionInfo(requests())) {
    const { service } = messageResponse.value as { service: { name: string }[] };
    expect(service.map(({ name }) => name)).toContain("shop.orders.v1.OrderService");
  }
});

describe("files", () => {
  it.each([
    ["/", 200, "text/html; charset=utf-8", "<h1>shop</h1>"],
    ["/?from=mail", 200, "text/html; charset=utf-8", "<h1>shop</h1>"],
    ["/assets/main.js", 200, "text/javascript; charset=utf-8", "export {};"],
    ["/assets/a%20b.bin", 200, "application/octet-stream", "bytes"],
  ])("serves %s", async (path, status, type, text) => {
    const answer = await fetch(gateway.url + path);
    expect([answer.status, answer.headers.get("content-type"), await answer.text()]).toEqual([status, type, text]);
    expect(answer.headers.get("x-content-type-options")).toBe("nosniff");
  });

  it("sends a file only if it has changed", async () => {
    const etag = (await fetch(gateway.url)).headers.get("etag")!;
    const again = await fetch(gateway.url, { headers: { "if-none-match": `"other", W/${etag}` } });
    expect([again.status, again.headers.get("etag"), await again.text()]).toEqual([304, etag, ""]);
    expect((await fetch(gateway.url, { headers: { "if-none-match": '"other"' } })).status).toBe(200);
  });

  it("answers HEAD", async () => {
    const answer = await fetch(gateway.url, { method: "HEAD" });
    expect([answer.status, answer.headers.get("content-length")]).toEqual([200, "13"]);
  });

  it.each(["/../secret.txt", "/%2e%2e/secret.txt", "/..%2fsecret.txt", "/assets/../../secret.txt", "//secret.txt"])(
    "finds nothing outside the folder: %s",
    async (path) => {
      // Not by fetch, which would resolve the dots itself.
      const socket = connect(gateway.port, "127.0.0.1");
      socket.end(`GET ${path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n`);
      const text = (await socket.setEncoding("utf8").toArray()).join("");
      expect(text).toMatch(/^HTTP\/1.1 404 /);
    },
  );

  it.each(["/link.txt", "/.hidden", "/assets/main.js.map", "/assets", "/assets/"])("leaves out %s", async (path) => {
    expect((await fetch(gateway.url + path)).status).toBe(404);
  });
});

it("serves source maps where that is asked for at its start, and other maps always", async () => {
  const files = await StaticFiles.load(pathToFileURL(`${folder}/web/`), { sourceMaps: true });
  expect(files.has("/assets/main.js.map")).toBe(true);
  expect((await fetch(`${gateway.url}/assets/city.map`)).status).toBe(200);
});

describe("what is no request of the system's", () => {
  const raw = async (text: string) => {
    const socket = connect(gateway.port, "127.0.0.1");
    // It may hang up before all is sent.
    socket.on("error", () => undefined);
    socket.write(text);
    const answer = (await socket.setEncoding("utf8").toArray()).join("");
    const [head = "", body = ""] = answer.split("\r\n\r\n");
    return { status: head.split("\r\n")[0], body: JSON.parse(body) as { code: number; message: string } };
  };

  it("is answered as google.rpc.Status when it is not even HTTP", async () => {
    expect(await raw("nonsense\r\n\r\n")).toEqual({
      status: "HTTP/1.1 400 Bad Request",
      body: { code: Code.InvalidArgument, message: "this is no request of HTTP/1.1", details: [] },
    });
    expect(await raw(`GET /${"a".repeat(20_000)} HTTP/1.1\r\nhost: localhost\r\n\r\n`)).toMatchObject({
      status: "HTTP/1.1 414 URI Too Long",
      body: { code: Code.InvalidArgument },
    });
  });

  it.each([
    ["PUT", "application/json", 405, "does not answer PUT, but GET, POST"],
    ["POST", "text/plain", 415, "takes application/json"],
    ["POST", "application/grpcx", 415, "takes application/json"],
  ])("is refused with a reason: %s of %s to a method", async (method, type, status, reason) => {
    const url = `${gateway.url}/shop.orders.v1.OrderService/GetOrder`;
    const answer = await fetch(url, { method, headers: { "content-type": type }, body: "{}" });
    expect(answer.status).toBe(status);
    expect(((await answer.json()) as { message: string }).message).toContain(reason);
  });

  it("is refused with a reason when its body is compressed", async () => {
    const headers = { "content-type": "application/json", "content-encoding": "gzip" };
    const answer = await fetch(`${gateway.url}/v1/orders`, { method: "POST", headers, body: "{}" });
    expect([answer.status, answer.headers.get("accept-encoding")]).toEqual([415, "identity"]);
    expect(((await answer.json()) as { message: string }).message).toContain("gzip");
  });
});

it("ends endless calls with UNAVAILABLE when it drains, and then stops", async () => {
  const client = createClient(OrderService, createGrpcTransport({ baseUrl: gateway.url }));
  const watched = client.watchOrder({ id: "1" })[Symbol.asyncIterator]();
  const lines = await fetch(`${gateway.url}/v1/orders/1:watch`);
  await watched.next();
  const stopped = gateway.stop();
  await expect(watched.next()).rejects.toMatchObject({ code: Code.Unavailable });
  expect(
    (await lines.text())
      .split("\n")
      .slice(0, -1)
      .map((line) => JSON.parse(line)),
  ).toMatchObject([{ id: "1" }, { error: { code: Code.Unavailable } }]);
  await stopped;
  await expect(fetch(`${gateway.url}/readyz`)).rejects.toThrow();
});
