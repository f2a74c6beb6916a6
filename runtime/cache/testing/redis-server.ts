import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { freePort } from "../../../generator/dev/ports.js";

/** A Redis server of a test's own, which may be stopped, frozen and filled. */
export interface RedisServer {
  readonly url: string;
  /** A client that waits for the server. */
  command(...args: string[]): Promise<unknown>;
  start(): Promise<void>;
  stop(): Promise<void>;
  freeze(): void;
  thaw(): void;
  remove(): Promise<void>;
}

/** Starts `redis-server` (Debian's package of that name) on a free port, with nothing on disk. */
export async function redisServer(): Promise<RedisServer> {
  const port = await freePort();
  const directory = await mkdtemp(join(tmpdir(), "scaffold-redis-"));
  const url = `redis://127.0.0.1:${port}/0`;
  let server: ChildProcess | undefined;

  async function start(): Promise<void> {
    const child = spawn(
      "redis-server",
      ["--port", String(port), "--bind", "127.0.0.1", "--dir", directory, "--save", "", "--appendonly", "no"],
      { stdio: ["ignore", "pipe", "inherit"] },
    );
    server = child;
    await new Promise<void>((resolve, reject) => {
      child.once("error", (cause) =>
        reject(new Error("no redis-server on the PATH: apt-get install redis-server", { cause })),
      );
      child.once("exit", (code) => reject(new Error(`redis-server ended with ${code}`)));
      child.stdout.on("data", (text) => String(text).includes("Ready to accept connections") && resolve());
    });
  }

  async function stop(): Promise<void> {
    if (server === undefined || server.exitCode !== null || server.signalCode !== null) return;
    const gone = once(server, "exit");
    server.kill("SIGKILL");
    await gone;
  }

  await start();
  return {
    url,
    async command(name, ...args) {
      const client = new Redis(url);
      try {
        return await client.call(name, ...args);
      } finally {
        client.disconnect();
      }
    },
    start,
    stop,
    freeze: () => void server?.kill("SIGSTOP"),
    thaw: () => void server?.kill("SIGCONT"),
    async remove() {
      await stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
