import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { printHeard } from "./heard.js";
import { type Entry, parseServerTiming } from "./server-timing.js";

/**
 * Sends one request through the running system and prints the time spent in each part, first with cold caches and then with warm ones.
 * Then prints when other services consume an order's events.
 *
 *     npm run demo [-- http://127.0.0.1:8080]
 *
 * Default: the system that `npm start` runs in this project.
 */
const WARM_UP = 200;
const MAX_ORDERS = 50;
const address = process.argv[2] ?? (await running()) ?? `http://127.0.0.1:${process.env.PORT ?? 8080}`;

try {
  // Warm up connections and code with another order, so that "cold" means only the caches.
  const other = await placeOrder();
  for (let round = 0; round < WARM_UP; round++) await receipt(other);
  const { id, cold } = await coldReceipt();
  print(id, cold, await receipt(id));
  await printHeard(address);
} catch (error) {
  const refused =
    error instanceof TypeError
      ? "no response: start the system with npm start, or pass its address"
      : (error as Error).message;
  process.stderr.write(`${address}: ${refused}\n`);
  process.exitCode = 1;
}

/** Returns the running system's address from its state folder. */
async function running(): Promise<string | undefined> {
  try {
    const state = process.env.SCAFFOLD_STATE ?? ".scaffold";
    return (JSON.parse(await readFile(`${state}/run.json`, "utf8")) as { url?: string }).url;
  } catch {
    return undefined;
  }
}

interface Walk {
  readonly totalMs: number;
  readonly entries: readonly Entry[];
}

async function placeOrder(): Promise<string> {
  const order = {
    requestId: randomUUID(),
    customerId: "demo",
    lines: [{ productId: "notebook-a5", quantity: 1 }],
    paymentMethod: "card",
    wait: true,
  };
  const response = await fetch(`${address}/v1/orders`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(order),
  });
  const answer = (await response.json()) as { id: string; state: string; message?: string; cancelReason?: string };
  if (answer.state !== "ORDER_STATE_CONFIRMED")
    throw new Error(answer.message ?? `the order is ${answer.state}: ${answer.cancelReason || "still in progress"}`);
  return answer.id;
}

/** Reads a new order with cold caches. Places another one if a consumer has read it first and filled the cache. */
async function coldReceipt(): Promise<{ id: string; cold: Walk }> {
  for (let attempt = 1; ; attempt++) {
    const id = await placeOrder();
    const cold = await receipt(id);
    // A concurrent read shares its load of the row, so this request may show no database time.
    const isCold = find(cold, "orders.cache")?.description === "miss" && find(cold, "orders.db") !== undefined;
    if (isCold || attempt === MAX_ORDERS) return { id, cold };
  }
}

/** Reads an order with its payment, a request that crosses two services, two caches and two databases. */
async function receipt(id: string): Promise<Walk> {
  const start = performance.now();
  const response = await fetch(`${address}/v1/orders/${id}/receipt`, { headers: { "x-server-timing": "1" } });
  await response.text();
  const totalMs = performance.now() - start;
  if (!response.ok) throw new Error(`GET /v1/orders/${id}/receipt answered ${response.status}`);
  return { totalMs, entries: parseServerTiming(response.headers.get("server-timing") ?? "") };
}

function print(id: string, cold: Walk, cached: Walk): void {
  const steps: [depth: number, label: string, name: string][] = [
    [1, "gateway", "gateway"],
    [2, "orders", "orders"],
    [3, "its cache", "orders.cache"],
    [3, "its database", "orders.db"],
    [3, "payments", "payments"],
    [4, "its cache", "payments.cache"],
    [4, "its database", "payments.db"],
  ];
  const outside = (walk: Walk) => walk.totalMs - (find(walk, "gateway")?.ms ?? 0);
  process.stdout.write(`GET ${address}/v1/orders/${id}/receipt\n\n`);
  row("", "cold caches", "cached");
  row("there and back", time(cold.totalMs), time(cached.totalMs));
  row("  load balancer, sockets", time(outside(cold)), time(outside(cached)));
  for (const [depth, label, name] of steps) {
    row(`${"  ".repeat(depth)}${label}`, entry(find(cold, name)), entry(find(cached, name)));
  }
  process.stdout.write(
    "\nEach time includes those below it. Each part measured itself once (Server-Timing); times differ from run to run.\n",
  );
}

function row(label: string, cold: string, cached: string): void {
  process.stdout.write(`${label.padEnd(28)}${cold.padEnd(28)}${cached}`.trimEnd().concat("\n"));
}

function find({ entries }: Walk, name: string): Entry | undefined {
  return entries.find((candidate) => candidate.name === name);
}

function entry(found: Entry | undefined): string {
  return found === undefined ? "        –" : `${time(found.ms)}${found.description ? `  ${found.description}` : ""}`;
}

function time(ms: number): string {
  return `${ms.toFixed(2).padStart(6)} ms`;
}
