import { Code } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ask } from "../testing/ask.js";
import { authority } from "../testing/certificates.js";
import { createServerAdapter } from "./adapter.js";
import { type Listener, listen } from "./listen.js";

const text = "calls_total 1\n# ü\n";
const contentType = "text/plain; version=0.0.4; charset=utf-8";

describe.each(["native", "node"] as const)("pages of a service whose transport is %s", (transport) => {
  const listeners: Listener[] = [];
  const origins = { http: "", https: "" };
  let ca: string;

  beforeAll(async () => {
    const ours = await authority("ours");
    ca = ours.cert;
    const broken = { contentType, text: () => Promise.reject(new Error("secret")) };
    const pages = { "/metrics": { contentType, text: () => text }, "/broken": broken };
    for (const tls of [undefined, await ours.issue("service")]) {
      const handlers = createServerAdapter({ routes: () => undefined, pages, transport });
      const listener = await listen({ ...handlers, tls, host: "127.0.0.1", port: 0 });
      listeners.push(listener);
      origins[tls === undefined ? "http" : "https"] =
        `http${tls === undefined ? "" : "s"}://127.0.0.1:${listener.port}`;
    }
  });
  afterAll(() => Promise.all(listeners.map((listener) => listener.drain(0))));

  describe.each([
    ["http", "1.1"],
    ["http", "2"],
    ["https", "1.1"],
    ["https", "2"],
  ] as const)("over %s and HTTP/%s", (scheme, version) => {
    const send = (target: string, method = "GET") => ask(origins[scheme], { version, target, method, ca });

    test("are served", async () => {
      const { status, headers, body } = await send("/metrics?name=calls_total");
      expect({ status, type: headers["content-type"], body }).toEqual({ status: 200, type: contentType, body: text });
    });

    test("are served to HEAD without the text", async () => {
      const { status, headers, body } = await send("/metrics", "HEAD");
      const length = String(Buffer.byteLength(text));
      expect({ status, length: headers["content-length"], body }).toEqual({ status: 200, length, body: "" });
    });

    test("refuse other methods, and say which they know", async () => {
      const { status, headers, body } = await send("/metrics", "DELETE");
      expect([status, headers.allow]).toEqual([405, "GET, HEAD"]);
      const message = "/metrics does not answer DELETE, but GET, HEAD";
      expect(JSON.parse(body)).toEqual({ code: Code.Unimplemented, message, details: [] });
    });

    test("say that they failed, but not how", async () => {
      const { status, body } = await send("/broken");
      expect(status).toBe(500);
      expect(JSON.parse(body)).toEqual({ code: Code.Internal, message: "/broken cannot be made", details: [] });
    });

    test("leave other paths alone", async () => {
      for (const path of ["/metrics/", "/toString", "/__proto__"]) expect((await send(path)).status).toBe(404);
    });
  });
});
