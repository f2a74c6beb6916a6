import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { root, scaffold, stateFolder } from "./shop.js";

/** A service as a process of its own. */
export interface ServiceProcess {
  readonly address: string;
  readonly child: ChildProcess;
  /** Kills it, as a power cut would, and waits until it is gone. */
  kill(): Promise<void>;
}

/** Builds the shop's services as they run in production, into a folder of their own; the caller removes it. */
export async function buildServices(): Promise<string> {
  const dist = await stateFolder("dist-");
  const { code, stderr } = await scaffold("build", "--out", dist);
  if (code !== 0) throw new Error(stderr);
  return dist;
}

/** Starts a service that was built, on a free port, and waits until it listens. */
export function startService(
  dist: string,
  name: string,
  env: Readonly<Record<string, string>>,
): Promise<ServiceProcess> {
  const child = spawn(process.execPath, [join(dist, name, "main.js")], {
    cwd: root,
    env: { ...process.env, PORT: "0", MIGRATE: "on", ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const lines: string[] = [];
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  return new Promise((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on("line", (line) => {
        lines.push(line);
        const port = /"port":(\d+),"msg":"listening"/.exec(line)?.[1];
        if (port === undefined) return;
        const kill = () => {
          child.kill("SIGKILL");
          return ended;
        };
        resolve({ address: `http://127.0.0.1:${port}`, child, kill });
      });
    }
    child.once("close", (code) => reject(new Error(`${name} ended with ${code}:\n${lines.join("\n")}`)));
  });
}
