import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, request } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, expect, test } from "vitest";
import { innocent } from "../../scripts/testing/innocent.js";
import { takeLock } from "./lock.js";
import { freePort } from "./ports.js";

const DESCRIPTORS = 400;
let port: number;
let child: ReturnType<typeof spawn>;
let said = "";
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "scaffold-idle-"));
  const server = createServer((_, response) => response.end("fine")).listen(0, "127.0.0.1");
  await once(server, "listening");
  port = await freePort();
  const program = new URL("./testing/balancer.ts", import.meta.url).pathname;
  const node = `ulimit -n ${DESCRIPTORS}; exec "${process.execPath}" --import ${import.meta.resolve("tsx")} "$@"`;
  await takeLock(join(folder, "lock"));
  child = spawn("sh", ["-c", node, "sh", program, String(port), String((server.address() as AddressInfo).port)], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, npm_lifecycle_event: "start", LOCK: join(folder, "lock") },
  });
  child.stdout!.on("data", (chunk) => {
    said += chunk;
  });
  await until(() => said.includes("listening"));
  return async () => {
    child.kill("SIGKILL");
    server.closeAllConnections();
    server.close();
    await rm(folder, { recursive: true });
  };
});

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await sleep(20);
}

/** A call on a connection of its own. */
function call(): Promise<void> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: "127.0.0.1", port, agent: false }, (response) => response.resume().on("end", resolve));
    sent.on("error", reject).end();
  });
}

const descriptors = () => readdirSync(`/proc/${child.pid}/fd`).length;

test.each([
  ["silent", ""],
  ["kept alive", "GET / HTTP/1.1\r\nhost: localhost\r\n\r\n"],
  ["in the middle of a request", "POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9\r\n\r\n{"],
])("many connections that are %s leave a process its descriptors, and others their service", async (_, first) => {
  const experience = innocent(call, 20, [child.pid!]);
  const sockets: Socket[] = [];
  for (let n = 0; n < 600; n++) {
    const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true }).on("error", () => undefined);
    socket.on("connect", () => first && socket.write(first)).resume();
    sockets.push(socket);
    if (n % 10 === 9) {
      await sleep(30);
      expect(descriptors()).toBeLessThan(DESCRIPTORS - 10);
    }
  }
  // The lock is that of this process, and it can be told.
  said = "";
  child.kill("SIGUSR2");
  await until(() => said.includes("lock:"));
  expect(said).toContain(`lock: {"pid":${process.pid}`);
  // Twice the interval in which it looks for npm.
  await sleep(1_000);
  expect(child.exitCode).toBeNull();
  expect(said).not.toContain("npm is gone");
  const { calls, failures, p99 } = await experience.stop();
  expect(calls).toBeGreaterThan(50);
  expect(failures).toEqual(new Map());
  expect(p99).toBeLessThan(200);
  for (const socket of sockets) socket.destroy();
  await until(() => descriptors() < 60);
});
