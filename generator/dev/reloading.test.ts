import { rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { DevProcess, eventually } from "./testing/dev-process.js";
import { program, systemFixture } from "./testing/fixture.js";

const fixture = systemFixture();
const journal = join(fixture.root, "journal");
afterAll(fixture.remove);

test("a running system restarts what was built anew, starts what is new, ends what is gone, and goes on with the rest", async () => {
  const dev = new DevProcess(fixture.root, fixture.command);
  const url = await dev.ready();
  const pids = async () =>
    Object.fromEntries((await dev.state()).processes.map(({ name, process }) => [name, process?.pid]));
  const said = (words: RegExp) => eventually(String(words), () => words.exec(dev.stderr)?.[0]);
  const first = await pids();

  fixture.write("dist/orders/main.js", `${program("orders", journal)}// changed\n`);
  await said(/^orders restarted, in/m);
  const second = await pids();
  expect(second).toEqual({ ...first, orders: second.orders });
  expect(second.orders).not.toBe(first.orders);
  expect(await (await fetch(`${url}/orders/who`)).json()).toEqual({ name: "orders", pid: second.orders });

  // One that does not start is said, is no reason to end, and is tried again at the next change.
  fixture.write("dist/stock/main.js", `throw new Error("not like this");\n`);
  await said(/stock did not start .*\n.*\n?[\s\S]*not like this/);
  expect((await fetch(`${url}/orders/who`)).status).toBe(200);
  fixture.write("dist/stock/main.js", program("stock", journal));
  await said(/^stock restarted, in/m);

  fixture.write("dist/mail/main.js", program("mail", journal));
  await said(/^mail started at http:\/\/127\.0\.0\.1:\d+, in/m);
  // The gateways are told where it is, one after the other.
  await said(/^gateway-1 restarted[\s\S]*^gateway-2 restarted/m);
  expect(Number(await (await fetch(`${url}/mail/count`)).text())).toBe(1);

  await dev.remember();
  rmSync(join(fixture.root, "dist/mail"), { recursive: true });
  await said(/mail ended: the contract has it no more/);
  expect(Object.keys(await pids()).sort()).toEqual(Object.keys(first).sort());
  await dev.remember();
  dev.ctrlC();
  expect(await dev.ended).toBe("exit code 0");
  await dev.nothingLeft();
}, 120_000);
