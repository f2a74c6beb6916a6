import { spawnSync } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { Code, ConnectError } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { createLogger, type LogLevel } from "./log.js";
import { LogWriter } from "./log-writer.js";

function logged(level?: LogLevel) {
  const lines: string[] = [];
  const log = createLogger({ name: "orders", level }, { write: (line) => lines.push(line) });
  return { log, lines: () => lines.map((line) => JSON.parse(line)) };
}

test("a line is one JSON object with time, level, name and what was given", () => {
  const { log, lines } = logged();
  log.info({ port: 8081 }, "listening");
  log.debug("not at this level");
  expect(lines()).toEqual([
    {
      level: "info",
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
      pid: process.pid,
      name: "orders",
      port: 8081,
      msg: "listening",
    },
  ]);
});

test("an error is logged with its causes, and an RPC's with its code as a word and no metadata", () => {
  const { log, lines } = logged("error");
  const cause = new Error("connection refused");
  log.error({ err: new ConnectError("no stock", Code.Unavailable, { authorization: "secret" }, [], cause) });
  log.error({ err: "thrown text" });
  const [first, second] = lines();
  expect(first.err).toMatchObject({
    code: "Unavailable",
    message: "no stock",
    cause: { message: "connection refused" },
  });
  expect(JSON.stringify(first)).not.toContain("secret");
  expect(second.err).toBe("thrown text");
});

test("a full disk drops lines, and neither ends the process nor its next lines", () => {
  const source = `
    import { createLogger } from ${JSON.stringify(new URL("./log.ts", import.meta.url).href)};
    const log = createLogger({ name: "orders" });
    for (let n = 0; n < 50; n++) log.info({ n }, "said");
    process.exitCode = 7;`;
  const tsx = ["--import", import.meta.resolve("tsx"), "--input-type=module", "--eval", source];
  const full = openSync("/dev/full", "w");
  const { status, stderr } = spawnSync(process.execPath, tsx, { encoding: "utf8", stdio: ["ignore", full, "pipe"] });
  closeSync(full);
  expect([status, stderr]).toEqual([7, ""]);
});

test.each(["ENOSPC", "EDQUOT", "EIO", "EPIPE"])(
  "after %s, the next line that can be written says how many were dropped",
  (code) => {
    const written: string[] = [];
    let room = Number.POSITIVE_INFINITY;
    const writer = new LogWriter({
      report: ({ lines, reason }) => `${lines} ${reason}\n`,
      write(bytes) {
        if (room === 0) throw Object.assign(new Error(code), { code });
        const taken = Math.min(room, bytes.length);
        room -= taken;
        written.push(bytes.toString("utf8", 0, taken));
        return taken;
      },
    });
    writer.write("first\n");
    room = 3;
    for (let n = 0; n < 3; n++) writer.write("second\n");
    room = 4;
    writer.write("third\n");
    room = Number.POSITIVE_INFINITY;
    writer.write("fourth\n");
    // A line that was cut off, and a report that was.
    expect(written.join("").split("\n")).toEqual(["first", "sec", expect.any(String), `4 ${code}`, "fourth", ""]);
  },
);

test("more than a disk should take is dropped and counted", () => {
  let bytes = 0;
  const writer = new LogWriter({
    report: ({ reason }) => `${reason}\n`,
    write: (line) => {
      bytes += line.length;
      return line.length;
    },
  });
  const line = `${"x".repeat(1023)}\n`;
  for (let n = 0; n < 40_000; n++) writer.write(line);
  expect(bytes).toBeLessThan(20 * 1024 * 1024);
  expect(bytes).toBeGreaterThan(16 * 1024 * 1024 - 2048);
});

test("what was logged is written, also when the process is killed at once", () => {
  const source = `
    import { createLogger } from ${JSON.stringify(new URL("./log.ts", import.meta.url).href)};
    const log = createLogger({ name: "orders" });
    for (let n = 0; n < 50; n++) log.info({ n }, "said");
    process.kill(process.pid, "SIGKILL");`;
  const tsx = ["--import", import.meta.resolve("tsx"), "--input-type=module", "--eval", source];
  const { stdout, signal } = spawnSync(process.execPath, tsx, { encoding: "utf8" });
  expect(signal).toBe("SIGKILL");
  expect(stdout.trim().split("\n")).toHaveLength(50);
});
