import { existsSync } from "node:fs";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { Stopped, Supervisor } from "./supervisor.js";
import { Terminal } from "./terminal.js";
import { DevProcess, eventually } from "./testing/dev-process.js";
import { systemFixture } from "./testing/fixture.js";

const fixture = systemFixture();
beforeEach(fixture.forget);
afterAll(fixture.remove);

/** Every process ended after a drain in which its database was there, and whoever calls ended before whom it calls. */
function expectDrained(why: string): void {
  const ends = fixture.journal().filter((line) => line.includes(" ended "));
  expect(ends).toEqual([
    `gateway ended why=${why}`,
    `gateway ended why=${why}`,
    `orders ended why=${why} database=up`,
    `stock ended why=${why} database=up`,
  ]);
}

function expectNothingWrittenDown(): void {
  for (const file of ["run.json", "run.lock"]) expect(existsSync(join(fixture.root, ".scaffold", file))).toBe(false);
}

test("a build that fails because of the signal that stops the system is no failure", async () => {
  const terminal = new Terminal(fixture.root, new PassThrough() as never, new PassThrough() as never);
  const supervisor: Supervisor = new Supervisor(
    {
      root: fixture.root,
      programs: join(fixture.root, "dist"),
      port: "0",
      reset: false,
      async prepare() {
        // Ctrl-C reaches the builder's own processes first.
        setTimeout(() => void supervisor.stop(), 10);
        throw new Error("write EPIPE");
      },
    },
    terminal,
  );
  await expect(supervisor.start()).rejects.toBeInstanceOf(Stopped);
  expectNothingWrittenDown();
});

describe("stopping a system", () => {
  test("by Ctrl-C in a terminal: calls in flight are answered, then everything ends in order", async () => {
    const dev = new DevProcess(fixture.root, fixture.command);
    const url = await dev.ready();
    const held = fetch(`${url}/hold`);
    // The gateway has got it once the next one is answered.
    await (await fetch(`${url}/who`)).text();
    dev.ctrlC();
    expect(await (await held).text()).toBe("drained");
    expect(await dev.ended).toBe("exit code 0");
    await dev.nothingLeft();
    expectDrained("SIGTERM");
    expectNothingWrittenDown();
  });

  test("by SIGTERM to npm", async () => {
    const dev = new DevProcess(fixture.root, ["npm", "start"]);
    await dev.ready();
    dev.signal("SIGTERM");
    await dev.ended;
    await dev.nothingLeft();
    expectDrained("SIGTERM");
    expectNothingWrittenDown();
  });

  test("by Ctrl-C in a terminal with npm in front, which passes the signal on a second time", async () => {
    const dev = new DevProcess(fixture.root, ["npm", "start"]);
    await dev.ready();
    dev.ctrlC();
    await dev.ended;
    await dev.nothingLeft();
    expectDrained("SIGTERM");
    expect(dev.stderr).not.toContain("not waiting");
  });

  test("by SIGKILL of npm", async () => {
    const dev = new DevProcess(fixture.root, ["npm", "start"]);
    await dev.ready();
    dev.signal("SIGKILL");
    await dev.nothingLeft();
    expectDrained("SIGTERM");
  });

  test("by SIGKILL of the supervisor: services drain by themselves, and PostgreSQL ends after them", async () => {
    const dev = new DevProcess(fixture.root, fixture.command);
    await dev.ready();
    dev.signal("SIGKILL");
    await dev.nothingLeft();
    const ends = fixture.journal().filter((line) => line.includes(" ended "));
    expect(ends.sort()).toEqual([
      "gateway ended why=disconnect",
      "gateway ended why=disconnect",
      "orders ended why=disconnect database=up",
      "stock ended why=disconnect database=up",
    ]);
    expect(existsSync(join(fixture.root, ".scaffold", "run.json"))).toBe(false);
  });

  test("by SIGKILL of supervisor and guard: the next start ends the rest, and keeps the data", async () => {
    const first = new DevProcess(fixture.root, fixture.command);
    const url = await first.ready();
    const count = Number(await (await fetch(`${url}/orders/count`)).text());
    const { guard, postgres } = await first.state();
    process.kill(guard!.pid, "SIGKILL");
    first.signal("SIGKILL");
    await first.ended;
    const second = new DevProcess(fixture.root, fixture.command);
    const again = await second.ready();
    await first.nothingLeft();
    expect((await second.record("postgres")).process!.pid).not.toBe(postgres!.process!.pid);
    expect(await (await fetch(`${again}/orders/count`)).text()).toBe(String(count + 1));
    second.ctrlC();
    expect(await second.ended).toBe("exit code 0");
    await second.nothingLeft();
  });

  test.each(["SIGINT", "SIGKILL"] as const)("by %s after somebody removed its folder", async (signal) => {
    const dev = new DevProcess(fixture.root, fixture.command);
    await dev.ready();
    await fixture.removeData();
    dev.signal(signal);
    await dev.ended;
    await dev.nothingLeft();
  });

  test("while it still starts", async () => {
    fixture.write("dist/gateway/main.js", "setInterval(() => {}, 1000);");
    const dev = new DevProcess(fixture.root, fixture.command);
    await eventually("the services to run", () => fixture.journal().length === 2 || undefined);
    await dev.remember();
    dev.ctrlC();
    expect(await dev.ended).toBe("exit code 0");
    await dev.nothingLeft();
    expect(dev.stdout).toBe("");
    expectNothingWrittenDown();
  });
});
