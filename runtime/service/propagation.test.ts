import { fork } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { createClient } from "@connectrpc/connect";
import { UserService } from "@shop/generated/shop/users/v1/users_pb.js";
import { expect, onTestFinished, test } from "vitest";
import { Connections } from "../client/connections.js";
import { createServerAdapter } from "../server/adapter.js";
import { listen } from "../server/listen.js";
import { builtProgram } from "../testing/program.js";

test("a process propagates the headers that its PROPAGATED_HEADERS names, and keeps the others", async () => {
  let seen = new Headers();
  const handlers = createServerAdapter({
    routes: (router) =>
      router.service(UserService, {
        getUser({ id }, { requestHeader }) {
          seen = requestHeader;
          return { id };
        },
      }),
  });
  const next = await listen({ ...handlers, host: "127.0.0.1", port: 0 });
  onTestFinished(() => next.drain(0));
  const program = await builtProgram(new URL("../testing/users-process.ts", import.meta.url));
  const child = fork(program, {
    execArgv: [],
    env: { ...process.env, PORT: "0", NEXT_URL: `http://127.0.0.1:${next.port}`, PROPAGATED_HEADERS: "X-Tenant" },
    stdio: ["ignore", "pipe", "inherit", "ipc"],
  });
  onTestFinished(async () => {
    if (child.kill("SIGKILL")) await once(child, "exit");
  });
  let port = 0;
  for await (const line of createInterface(child.stdout!)) {
    ({ port } = JSON.parse(line));
    if (port > 0) break;
  }
  const connections = new Connections();
  onTestFinished(() => connections.close());
  const users = createClient(UserService, connections.carrierTo(`http://127.0.0.1:${port}`).transport);
  const headers = { "x-tenant": "acme", "x-request-id": "r1", "x-other": "1", authorization: "Bearer t" };
  expect((await users.getUser({ id: "next a" }, { headers })).id).toBe("a");
  expect(Object.keys(headers).map((name) => seen.get(name))).toEqual(["acme", "r1", null, null]);
});
