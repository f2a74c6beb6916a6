import * as http from "node:http";
import * as http2 from "node:http2";
import type { AddressInfo } from "node:net";
import type { ConnectRouter } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { onTestFinished } from "vitest";

/** Serves the routes on 127.0.0.1 for one test, over the HTTP version that is asked for. Answers with the address. */
export async function serveForTest(version: "1.1" | "2", routes: (router: ConnectRouter) => void): Promise<string> {
  const handler = connectNodeAdapter({ routes });
  const sessions = new Set<http2.ServerHttp2Session>();
  const server = version === "2" ? http2.createServer(handler) : http.createServer(handler);
  server.on("session", (session: http2.ServerHttp2Session) => sessions.add(session));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    for (const session of sessions) session.destroy();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
