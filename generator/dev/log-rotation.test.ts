import { spawn } from "node:child_process";
import { once } from "node:events";
import { appendFile, mkdtemp, open, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import { LogRotation, rotate } from "./log-rotation.js";

let folder: string;
let path: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "scaffold-logs-"));
  path = join(folder, "orders.log");
  return () => rm(folder, { recursive: true });
});

const limits = { maxBytes: 100, keep: 2 };

test("logs are bounded in size and number, and a process that has one open goes on writing it", async () => {
  // As a process has it that inherited it.
  const writer = await open(path, "a", 0o600);
  for (let part = 0; part < 5; part++) {
    for (let line = 0; line < 12; line++) await writer.appendFile(`part ${part}\n\n\n`.padEnd(10, "."));
    await rotate(path, limits);
  }
  await writer.appendFile("last\n");
  await writer.close();
  expect((await readdir(folder)).sort()).toEqual(["orders.log", "orders.log.1", "orders.log.2"]);
  expect(await readFile(path, "utf8")).toBe("last\n");
  expect(await readFile(`${path}.1`, "utf8")).toMatch(/^(part 4\n\n\n\.?){12}$/);
  expect(await readFile(`${path}.2`, "utf8")).toMatch(/^(part 3\n\n\n\.?){12}$/);
  for (const name of await readdir(folder)) expect((await stat(join(folder, name))).mode & 0o777).toBe(0o600);
});

test("a log that is short, or not there, stays as it is", async () => {
  await rotate(path, limits);
  expect(await readdir(folder)).toEqual([]);
  await appendFile(path, "x".repeat(100));
  await rotate(path, limits);
  expect(await readdir(folder)).toEqual(["orders.log"]);
});

test("of a burst the last is kept, in whole lines, and the log says how much is not", async () => {
  const line = `${"x".repeat(99)}\n`;
  const maxBytes = 2 ** 20;
  await appendFile(path, line.repeat(450_000));
  await rotate(path, { maxBytes, keep: 2 });
  const part = await readFile(`${path}.1`, "utf8");
  expect(part.length).toBeLessThanOrEqual(maxBytes);
  expect(part.length).toBeGreaterThan(maxBytes - 200);
  expect(part.slice(0, 100)).toBe(line);
  const { msg } = JSON.parse(await readFile(path, "utf8"));
  expect(msg).toBe(`${45_000_000 - part.length} bytes before this came too fast to be kept`);
});

test("a log is rotated when it is written, not only every few seconds", async () => {
  const maxBytes = 2 ** 20;
  const writer = await open(path, "a", 0o600);
  const rotation = new LogRotation(
    () => [path],
    (message) => expect.unreachable(message),
    { maxBytes },
  );
  rotation.start();
  const burst = 'for (let i = 0; i < 45_000; i++) fs.writeSync(1, "x".repeat(999) + "\\n")';
  const child = spawn(process.execPath, ["-e", burst], { stdio: ["ignore", writer.fd, "inherit"] });
  await once(child, "exit");
  await writer.close();
  const sizes = async () =>
    Promise.all((await readdir(folder)).map(async (name) => (await stat(join(folder, name))).size));
  // What a part holds beyond its bound was written while it was copied.
  await expect
    .poll(async () => Math.max(...(await sizes())), { timeout: 4_000 })
    .toBeLessThanOrEqual(maxBytes + 2 ** 21);
  await rotation.stop();
  expect((await readdir(folder)).length).toBeLessThanOrEqual(3);
});
