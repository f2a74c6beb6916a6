import { appendFile, mkdtemp, open, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import { rotate } from "./log-rotation.js";

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
