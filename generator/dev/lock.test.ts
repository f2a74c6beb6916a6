import { execFile, spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { temporaryProject } from "../testing/project.js";
import { end } from "./end.js";
import { lockHolder, takeLock } from "./lock.js";
import { identify, isRunning, signal } from "./pid.js";

test("a lock is had by one process until it is gone", async () => {
  const { root, write } = temporaryProject();
  const path = join(root, "lock");
  // A process that has ended: its lock counts for nothing.
  const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"]);
  const other = (await identify(child.pid!))!;
  write("lock", JSON.stringify(other));
  expect(await takeLock(path)).toEqual(other);
  const gone = end(child);
  expect(await signal(other, "SIGKILL")).toBe(true);
  await gone;
  expect(await takeLock(path)).toBeUndefined();
  expect((await lockHolder(path))!.pid).toBe(process.pid);
  expect(readdirSync(root)).toEqual(["lock"]);
});

test("what is no lock is replaced by one", async () => {
  const { root, write } = temporaryProject({ lock: "{" });
  const path = join(root, "lock");
  expect(await takeLock(path)).toBeUndefined();
  expect(JSON.parse(readFileSync(path, "utf8")).pid).toBe(process.pid);
  write("lock", "");
  expect(await lockHolder(path)).toBeUndefined();
});

test("a process is told from a later one with its pid", async () => {
  const me = (await identify(process.pid))!;
  expect(await isRunning(me)).toBe(true);
  const earlier = { ...me, started: "0@another boot" };
  expect(await isRunning(earlier)).toBe(false);
  expect(await signal(earlier, "SIGKILL")).toBe(false);
});

test.runIf(process.platform === "linux")(
  "without descriptors nobody is taken for gone, and no lock is broken",
  async () => {
    const { root, write } = temporaryProject();
    const [path, state] = [join(root, "lock"), join(root, "run.json")];
    await takeLock(path);
    write("run.json", "{}");
    const program = new URL("./testing/no-descriptors.ts", import.meta.url).pathname;
    const node = `ulimit -n 64; exec "${process.execPath}" --import ${import.meta.resolve("tsx")} "$@"`;
    const { stdout } = await promisify(execFile)("sh", ["-c", node, "sh", program, path, state]);
    expect(JSON.parse(stdout)).toEqual({
      parent: true,
      gone: false,
      identity: "EMFILE",
      holder: "EMFILE",
      taken: "EMFILE",
      state: "EMFILE",
      serving: "cannot tell",
    });
    expect((await lockHolder(path))?.pid).toBe(process.pid);
  },
);
