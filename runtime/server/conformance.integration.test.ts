import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { UserService } from "@shop/generated/shop/users/v1/users_pb.js";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createServerAdapter } from "./adapter.js";

/** The public suites, which `.ci/run` builds with `go install`: found on the PATH, or in GOBIN. */
const run = promisify(execFile);
const root = fileURLToPath(new URL("../..", import.meta.url));
const programs = fileURLToPath(new URL("./testing/conformance/", import.meta.url));
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "conformance-"));
});
afterAll(() => rm(folder, { recursive: true }));

async function conformance(mode: "server" | "client"): Promise<string> {
  const version = (await run("go", ["version", "-m", await which("connectconformance")])).stdout;
  const [, module = ""] = /mod\tconnectrpc\.com\/conformance\t(\S+)/.exec(version) ?? [];
  const { stdout: cache } = await run("go", ["env", "GOMODCACHE"]);
  const image = join(folder, `${mode}.binpb`);
  await run(join(root, "node_modules/.bin/buf"), [
    "build",
    join(cache.trim(), `connectrpc.com/conformance@${module}/proto`),
    "-o",
    image,
  ]);
  const program = ["node", "--import", "tsx", join(programs, `${mode}.ts`)];
  // It wants deadlines to arrive as they were sent: calls must not wait for each other's processors.
  const calm = ["--max-servers", "1", ...(mode === "server" ? ["--parallel", "4"] : [])];
  const args = ["--mode", mode, "--conf", join(programs, `${mode}.yaml`), ...calm, "--", ...program];
  const options = { cwd: root, env: { ...process.env, CONFORMANCE_IMAGE: image }, maxBuffer: 2 ** 28 };
  return run(await which("connectconformance"), args, options).then(
    ({ stdout }) => stdout,
    (error: { stdout: string; stderr: string }) => `${error.stdout}\n${error.stderr}`,
  );
}

async function which(name: string): Promise<string> {
  const { stdout } = await run("bash", ["-c", `PATH="$PATH:$(go env GOBIN):$(go env GOPATH)/bin" command -v ${name}`]);
  return stdout.trim();
}

test.each(["server", "client"] as const)(
  "Connect's conformance suite passes against our %s",
  async (mode) => {
    const output = await conformance(mode);
    expect(output.match(/^FAILED.*(\n\t.*)*/gm) ?? []).toEqual([]);
    expect(output).toMatch(/(\d+) passed, 0 failed/);
  },
  600_000,
);

test("every case of h2spec passes", async () => {
  const { http2 } = createServerAdapter({
    transport: "native",
    routes: (router) =>
      router.service(UserService, {
        getUser: ({ id }) => ({ id }),
      }),
  });
  const server = createServer((socket) => http2.take(socket)).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as AddressInfo;
  // A path whose answer has a body, which many cases need.
  const path = '/shop.users.v1.UserService/GetUser?message={"id":"abcdefgh"}&encoding=json&connect=v1';
  const args = ["-h", "127.0.0.1", "-p", String(port), "-o", "10", "-P", encodeURI(path)];
  const output = await run(await which("h2spec"), args).then(
    ({ stdout }) => stdout,
    (error: { stdout: string }) => error.stdout,
  );
  http2.cut();
  server.close();
  expect(output).toMatch(/145 tests, 145 passed, 0 skipped, 0 failed/);
}, 300_000);
