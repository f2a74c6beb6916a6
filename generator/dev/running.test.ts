import { spawn } from "node:child_process";
import { existsSync, lstatSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { runFolder } from "./folder.js";
import { listProcesses } from "./list.js";
import { DevProcess, eventually } from "./testing/dev-process.js";
import { program, systemFixture } from "./testing/fixture.js";

const fixture = systemFixture();
const file = (path: string) => join(fixture.root, path);
beforeEach(fixture.forget);
afterAll(fixture.remove);

async function text(url: string): Promise<string> {
  return (await fetch(url)).text();
}

/** What is in a folder that others may read, write or pass through, but for `passages`, through which they may pass. */
function readableByOthers(folder: string, passages: readonly string[], path = ""): string[] {
  const found = lstatSync(join(folder, path));
  // A link is as open as what it leads to.
  if (found.isSymbolicLink()) return [];
  const others = found.mode & 0o077;
  if (passages.includes(path) ? others !== 0o011 : others !== 0) return [`${path} ${(found.mode & 0o777).toString(8)}`];
  // What is in a closed folder is closed.
  if (!found.isDirectory() || (others === 0 && path !== "/logs")) return [];
  return readdirSync(join(folder, path)).flatMap((name) => readableByOthers(folder, passages, `${path}/${name}`));
}

/** Once the service is back, which takes a moment. */
function answerOf(url: string): Promise<string> {
  return eventually(url, async () => {
    const response = await fetch(url).catch(() => undefined);
    return response?.ok ? response.text() : undefined;
  });
}

describe("a running system", () => {
  test("says where everything is, and keeps to itself what it keeps", async () => {
    const dev = new DevProcess(fixture.root, fixture.command);
    const url = await dev.ready();
    const { processes } = await dev.state();
    for (const { name, process, port } of processes) {
      expect(dev.stdout).toMatch(
        new RegExp(`^${name} +http://127.0.0.1:${port} +${process!.pid} +.scaffold/logs/${name}.log$`, "m"),
      );
    }
    expect(dev.stdout).toMatch(/^orders +postgres:\/\/scaffold_orders:[\w-]{43}@127\.0\.0\.1:\d+\/orders$/m);
    expect(dev.stdout).toMatch(new RegExp(`^ready ${url}\n$`, "m"));
    expect(dev.stdout + dev.stderr).not.toContain("\u001b");
    expect(readFileSync(file(".scaffold/.gitignore"), "utf8")).toBe("*\n");
    // Others see nothing; as root, PostgreSQL's user passes by.
    const open = process.getuid?.() === 0 ? 0o711 : 0o700;
    expect(statSync(file(".scaffold")).mode & 0o777).toBe(open);
    expect(statSync(file(".scaffold/logs")).mode & 0o777).toBe(0o700);
    const logs = readdirSync(file(".scaffold/logs"));
    expect(logs).toContain("postgres.log");
    expect(readableByOthers(file(".scaffold"), open === 0o711 ? ["", "/postgres"] : [])).toEqual([]);

    const listed = await listProcesses(runFolder(fixture.root));
    expect(listed.map(({ service }) => service)).toEqual([
      "balancer",
      "stock",
      "orders",
      "gateway-1",
      "gateway-2",
      "postgres",
    ]);
    expect(new Set(listed.map(({ state }) => state))).toEqual(new Set(["healthy"]));
    dev.ctrlC();
    await dev.nothingLeft();
    expect(await listProcesses(runFolder(fixture.root))).toEqual([]);
  });

  test("brings back a service that is killed, on the port where it was", async () => {
    const dev = new DevProcess(fixture.root, fixture.command);
    const url = await dev.ready();
    const before = await dev.record("orders");
    process.kill(before.process!.pid, "SIGKILL");
    await eventually(
      "the word of it",
      () => /^orders died \(SIGKILL\), restarted in \d+\.\d s$/m.exec(dev.stderr) ?? undefined,
    );
    const after = await dev.record("orders");
    expect(after).toMatchObject({ port: before.port, state: "healthy" });
    expect(JSON.parse(await text(`${url}/orders/who`))).toEqual({ name: "orders", pid: after.process!.pid });
    await dev.remember();
    dev.ctrlC();
    expect(await dev.ended).toBe("exit code 0");
    await dev.nothingLeft();
  });

  test("brings back PostgreSQL, a gateway and the guard", async () => {
    const dev = new DevProcess(fixture.root, fixture.command);
    const url = await dev.ready();
    const { guard, postgres } = await dev.state();
    const count = Number(await text(`${url}/stock/count`));
    for (const { pid } of [guard!, postgres!.process!, (await dev.record("gateway-1")).process!])
      process.kill(pid, "SIGKILL");
    for (const name of ["postgres", "gateway-1"]) {
      await eventually(name, () => dev.stderr.includes(`${name} died (SIGKILL), restarted`) || undefined);
    }
    expect(await answerOf(`${url}/stock/count`).then(Number)).toBeGreaterThan(count);
    await eventually("a guard", async () => {
      const now = (await dev.state()).guard;
      return now !== undefined && now.pid !== guard!.pid ? now : undefined;
    });
    await dev.remember();
    dev.signal("SIGKILL");
    await dev.nothingLeft();
  });

  test("goes on through one gateway while the other is gone", async () => {
    const dev = new DevProcess(fixture.root, fixture.command);
    const url = await dev.ready();
    const { pid } = (await dev.record("gateway-1")).process!;
    process.kill(pid, "SIGKILL");
    // Until the last of its threads is dead it may still take a connection, only to drop it.
    await eventually("gateway-1 to be gone", async () => {
      return (await dev.record("gateway-1")).process?.pid !== pid || undefined;
    });
    const answers = await Promise.all(Array.from({ length: 10 }, () => text(`${url}/who`)));
    expect(answers.every((answer) => JSON.parse(answer).name === "gateway")).toBe(true);
    dev.ctrlC();
    await dev.ended;
    await dev.nothingLeft();
  });

  test("is not started twice", async () => {
    const first = new DevProcess(fixture.root, fixture.command);
    const url = await first.ready();
    const second = new DevProcess(fixture.root, fixture.command);
    expect(await second.ended).toBe("exit code 1");
    expect(second.stderr).toBe(
      `the system already runs in ${fixture.root} (pid ${first.pid}). Stop that one first: kill ${first.pid}\n`,
    );
    expect(JSON.parse(await text(`${url}/who`)).name).toBe("gateway");
    first.ctrlC();
    await first.nothingLeft();
  });

  test("does not start where its port is another's", async () => {
    const other = createServer().listen(0, "127.0.0.1");
    onTestFinished(() => void other.close());
    await new Promise((resolve) => other.once("listening", resolve));
    const { port } = other.address() as AddressInfo;
    const dev = new DevProcess(fixture.root, fixture.command, { PORT: String(port) });
    expect(await dev.ended).toBe("exit code 1");
    expect(dev.stderr).toMatch(new RegExp(`^port ${port} is taken: .*choose another port: PORT=`));
    expect(existsSync(file(".scaffold/run.lock"))).toBe(false);
  });

  test("does not start with a service that does not, and says what that one said", async () => {
    fixture.write("dist/stock/main.js", `console.error("DATABASE_URL is odd"); process.exit(7);`);
    onTestFinished(() => fixture.write("dist/stock/main.js", program("stock", file("journal"))));
    const dev = new DevProcess(fixture.root, fixture.command);
    expect(await dev.ended).toBe("exit code 1");
    expect(dev.stderr).toMatch(
      /stock did not start \(exit code 7\)\. Its log, .*stock\.log, ends with:\n {2}DATABASE_URL is odd/,
    );
    expect(existsSync(file(".scaffold/run.json"))).toBe(false);
  });

  test("never touches a process that only has the pid of one of an earlier run", async () => {
    const stranger = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"]);
    onTestFinished(() => void stranger.kill("SIGKILL"));
    const old = { pid: stranger.pid!, started: "0@another boot" };
    writeFileSync(file(".scaffold/run.lock"), JSON.stringify(old));
    const record = { name: "orders", process: old, port: 1, state: "healthy" };
    const state = { supervisor: old, guard: old, balancer: record, processes: [record], postgres: record, drainMs: 0 };
    writeFileSync(file(".scaffold/run.json"), JSON.stringify(state));
    const dev = new DevProcess(fixture.root, fixture.command);
    await dev.ready();
    dev.ctrlC();
    await dev.nothingLeft();
    expect(stranger.exitCode ?? stranger.signalCode).toBeNull();
  });
});

test("sample data is filled in once for a database: tried again when it failed, and after --reset", async () => {
  const fill = `export default async (address) => { await (await fetch(address + "/stock/count")).text(); };`;
  const runs = [
    // A new database counts from one; a sample that fails is said, and is no reason to end.
    { options: ["--reset"], sample: `export default async () => { throw new Error("no such product"); };`, count: "1" },
    // The sample's own count comes before this test's.
    { options: [], sample: fill, count: "3" },
    { options: [], sample: fill, count: "4" },
  ];
  for (const { options, sample, count } of runs) {
    fixture.write("dist/sample.js", sample);
    const dev = new DevProcess(fixture.root, [...fixture.command, ...options]);
    expect(await text(`${await dev.ready()}/stock/count`)).toBe(count);
    expect(dev.stderr.includes("the sample data could not be filled in: see ")).toBe(sample !== fill);
    dev.ctrlC();
    await dev.nothingLeft();
  }
  expect(readFileSync(file(".scaffold/logs/sample.log"), "utf8")).not.toContain("no such product");
  expect(existsSync(file(".scaffold/postgres/sampled"))).toBe(true);
});
