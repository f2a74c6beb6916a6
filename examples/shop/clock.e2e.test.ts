import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { expect, test } from "vitest";
import { root, startShop } from "./testing/shop.js";

/** How long calls go on before a jump and after it. */
const WHILE_MS = 4000;

test("no call fails because the wall clock jumps by 40 days, ahead or back", async () => {
  const clock = pathToFileURL(`${root}examples/shop/testing/jumping-clock.mjs`);
  const shop = await startShop({ env: { NODE_OPTIONS: `--import ${clock}` } });
  try {
    const begun = performance.now();
    const failures: string[] = [];
    let answered = 0;
    let ended = false;
    async function call(method: string, path: string, body?: unknown): Promise<{ id: string }> {
      const init = { headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
      const response = await fetch(`${shop.address}${path}`, { method, ...(body !== undefined && init) });
      const text = await response.text();
      answered++;
      if (!response.ok)
        failures.push(`${Math.round(performance.now() - begun)} ms: ${response.status} ${path} ${text}`);
      return JSON.parse(text) as { id: string };
    }
    async function reads(): Promise<void> {
      while (!ended) {
        await call("GET", "/v1/stocks/oak-tray");
        await call("GET", "/v1/orders?page_size=2&filter=customer_id%20%3D%20%22somebody%22");
      }
    }
    async function orders(wait: boolean): Promise<void> {
      while (!ended) {
        const lines = [{ productId: "oak-tray", quantity: 1 }];
        const order = { requestId: randomUUID(), customerId: "somebody", lines, paymentMethod: "card", wait };
        const { id } = await call("POST", "/v1/orders", order);
        await call("GET", `/v1/orders/${id}`);
        await sleep(20);
      }
    }
    const load = Promise.all([reads(), orders(true), orders(false)]);
    for (let jump = 0; jump < 2; jump++) {
      await sleep(WHILE_MS);
      const processes = await shop.processes();
      const pids = processes.filter(({ service }) => service !== "postgres").map(({ pid }) => pid!);
      for (const pid of new Set([...pids, shop.supervisor.pid!])) process.kill(pid, "SIGUSR2");
    }
    await sleep(WHILE_MS);
    ended = true;
    await load;
    expect(failures.slice(0, 10)).toEqual([]);
    expect(answered).toBeGreaterThan(100);
    const restarted = (await shop.processes()).filter(({ state }) => state !== "healthy");
    expect(restarted, shop.output()).toEqual([]);
  } finally {
    await shop.stop();
  }
}, 120_000);
