import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterEach, describe, expect, test } from "vitest";
import { createServerAdapter } from "../server/adapter.js";
import { listen } from "../server/listen.js";
import { createNativeTransport } from "./client-transport.js";
import { call, echo, expected } from "./testing/interop/echo.js";

const run = promisify(execFile);
const script = fileURLToPath(new URL("./testing/interop/echo.py", import.meta.url));

/** What `.ci/run` installs: a Python that has grpcio, and a program of grpc-go. */
const peers: [string, () => Promise<readonly [string, ...string[]]>][] = [
  ["grpcio", async () => [process.env.GRPCIO_PYTHON ?? "python3", script]],
  ["grpc-go", async () => [`${(await run("go", ["env", "GOPATH"])).stdout.trim()}/bin/grpc-echo`]],
];

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

describe.each(peers)("%s", (_name, find) => {
  test.each([[[]], [["gzip"]]])("calls our server %s", async (options) => {
    const listener = await listen({
      ...createServerAdapter({ transport: "native", routes: echo }),
      host: "127.0.0.1",
      port: 0,
    });
    cleanups.push(() => listener.drain(0));
    const [program, ...args] = await find();
    const { stdout } = await run(program, [...args, "call", `${listener.port}`, ...options]);
    expect(JSON.parse(stdout)).toEqual(expected);
  });

  test.each([false, true])("is called by our client, compress: %s", async (compress) => {
    const [program, ...args] = await find();
    const server = spawn(program, [...args, "serve"], { stdio: ["pipe", "pipe", "inherit"] });
    cleanups.push(() => server.stdin.end() && once(server, "exit"));
    const [port] = await once(createInterface(server.stdout), "line");
    const transport = createNativeTransport(`http://127.0.0.1:${port}`, { compress });
    cleanups.push(() => transport.close());
    expect(await call(transport)).toEqual(expected);
  });
});
