import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createConnection } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { choosePorts, freePort } from "../../generator/dev/ports.js";

/** A RabbitMQ of a test's own, which may be killed and started again. */
export interface RabbitmqEngine {
  /** With the user `guest`, who may do everything. */
  readonly url: string;
  /** Runs `rabbitmqctl` against it (about a second), and answers what it printed. */
  ctl(...args: string[]): Promise<string>;
  start(): Promise<void>;
  /** Kills it (SIGKILL), as a crash would: what it confirmed is on its disk. */
  kill(): Promise<void>;
  remove(): Promise<void>;
}

/** A message of more than this, in bytes, is refused. */
export const maxMessageSize = 1 << 20;

const programs = "/usr/lib/rabbitmq/bin";

/** Starts RabbitMQ (Debian's package `rabbitmq-server`) on free ports, with its data in a folder of its own. */
export async function rabbitmqEngine(): Promise<RabbitmqEngine> {
  const port = await freePort();
  // Free ports that were asked for one by one may be the same.
  const [distribution, names] = [...(await choosePorts(port, ["distribution", "names"])).values()] as [number, number];
  const directory = await mkdtemp(join(tmpdir(), "scaffold-rabbitmq-"));
  const config = join(directory, "rabbitmq.conf");
  await writeFile(config, `listeners.tcp.1 = 127.0.0.1:${port}\nmax_message_size = ${maxMessageSize}\n`);
  const env = {
    PATH: process.env.PATH,
    // The cookie that programs of this node show each other is made here.
    HOME: directory,
    ERL_EPMD_ADDRESS: "127.0.0.1",
    ERL_EPMD_PORT: String(names),
    RABBITMQ_NODENAME: `test-${port}@localhost`,
    RABBITMQ_DIST_PORT: String(distribution),
    RABBITMQ_MNESIA_BASE: join(directory, "data"),
    RABBITMQ_LOG_BASE: join(directory, "log"),
    RABBITMQ_CONFIG_FILE: config,
    RABBITMQ_CONF_ENV_FILE: join(directory, "none"),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(directory, "plugins"),
    ERL_CRASH_DUMP: join(directory, "crash.dump"),
  };
  // Without one that is there already, Erlang would start a name server that stays when all else has ended.
  const nameServer = spawn("epmd", ["-port", String(names)], { env, stdio: "ignore" });
  await new Promise((resolve, reject) => {
    nameServer.once("spawn", resolve);
    nameServer.once("error", (cause) => reject(missing(cause)));
  });
  await listening(names);
  let server: ChildProcess | undefined;

  async function start(): Promise<void> {
    // A group of its own: the program is a shell around Erlang, and a kill has to reach both.
    const child = spawn(join(programs, "rabbitmq-server"), { env, stdio: ["ignore", "pipe", "pipe"], detached: true });
    server = child;
    let said = "";
    await new Promise<void>((resolve, reject) => {
      child.once("error", (cause) => reject(missing(cause)));
      child.once("exit", (code) => reject(new Error(`rabbitmq-server ended with ${code}: ${said}`)));
      const hear = (text: Buffer) => {
        said += text;
        if (said.includes("completed with")) resolve();
      };
      child.stdout.on("data", hear);
      child.stderr.on("data", hear);
    });
  }

  const ctl = async (...args: string[]) =>
    (await promisify(execFile)(join(programs, "rabbitmqctl"), ["--quiet", ...args], { env })).stdout;

  async function kill(): Promise<void> {
    await end(async () => {
      // For three seconds RabbitMQ has the names of new quorum queues in memory alone, and cannot find those that it
      // loses then. That is no fault of what is tested here.
      await ctl("eval", "[dets:sync(Table) || Table <- dets:all()].");
    });
  }

  async function end(before?: () => Promise<void>): Promise<void> {
    if (server?.pid === undefined || server.exitCode !== null || server.signalCode !== null) return;
    await before?.();
    const gone = once(server, "close");
    process.kill(-server.pid, "SIGKILL");
    await gone;
  }

  async function remove(): Promise<void> {
    await end();
    nameServer.kill("SIGKILL");
    await rm(directory, { recursive: true, force: true });
  }

  await start().catch(async (error) => {
    await remove();
    throw error;
  });
  return {
    url: `amqp://guest:guest@127.0.0.1:${port}`,
    ctl,
    start,
    kill,
    remove,
  };
}

function missing(cause: Error): Error {
  return new Error("no RabbitMQ on this machine: apt-get install rabbitmq-server", { cause });
}

async function listening(port: number): Promise<void> {
  for (;;) {
    const socket = createConnection(port, "127.0.0.1");
    const open = await new Promise((resolve) => {
      socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    });
    socket.destroy();
    if (open) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
