import { spawnSync } from "node:child_process";
import { Code, ConnectError } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { createLogger, type LogLevel } from "./log.js";

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
