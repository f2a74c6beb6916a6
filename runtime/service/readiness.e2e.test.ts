import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { expect, onTestFinished, test } from "vitest";
import { freePort } from "../../generator/dev/ports.js";
import { startReplicated } from "../../generator/testing/replicated.js";
import { Health, HealthCheckResponse_ServingStatus as Status } from "../options/grpc/health/v1/health_pb.js";
import { createParcels } from "../testing/parcels.js";

/** A service as a process of its own. Returns its address, once it is ready. */
async function start(program: string, environment: NodeJS.ProcessEnv): Promise<string> {
  const port = await freePort();
  const path = fileURLToPath(new URL(program, import.meta.url));
  const child = spawn(process.execPath, ["--import", import.meta.resolve("tsx"), path], {
    env: { ...process.env, ...environment, PORT: String(port) },
    stdio: ["ignore", "ignore", "inherit"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  const url = `http://127.0.0.1:${port}`;
  await expect.poll(() => readyz(url), { timeout: 60_000 }).toEqual([200, { status: "SERVING", database: "SERVING" }]);
  return url;
}

const readyz = (url: string) =>
  fetch(`${url}/readyz`)
    .then(async (it) => [it.status, await it.json()])
    .catch(String);

test.runIf(process.platform === "linux")(
  "a frozen database is told from a process that lives, and from what is served without it",
  async () => {
    const servers = await startReplicated();
    onTestFinished(() => servers.remove());
    await createParcels(servers.primary.url());
    const journal = await mkdtemp(join(tmpdir(), "scaffold-readiness-"));
    onTestFinished(() => rm(journal, { recursive: true }));
    const environment = { DATABASE_URL: servers.primary.url(), JOURNAL_DIR: journal };
    const [deferring, plain] = await Promise.all([
      start("../testing/parcel-process.ts", environment),
      start("../testing/plain-parcel-process.ts", environment),
    ]);
    const health = createClient(Health, createGrpcTransport({ baseUrl: plain }));
    const changes = health.watch({ service: "readiness" })[Symbol.asyncIterator]();
    const next = async () => (await changes.next()).value?.status;
    expect(await next()).toBe(Status.SERVING);
    await servers.freeze();
    expect(await next()).toBe(Status.NOT_SERVING);
    expect(await readyz(plain)).toEqual([503, { status: "NOT_SERVING", database: "NOT_SERVING" }]);
    expect((await health.check({ service: "liveness" })).status).toBe(Status.SERVING);
    expect((await fetch(`${plain}/healthz`)).status).toBe(200);
    await expect
      .poll(() => readyz(deferring), { timeout: 60_000 })
      .toEqual([200, { status: "SERVING", database: "NOT_SERVING" }]);
    await servers.thaw();
    expect(await next()).toBe(Status.SERVING);
  },
);
