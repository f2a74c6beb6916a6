import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { createPaymentServiceClient } from "@shop/generated/shop/payments/v1/payments_client.js";
import { PaymentState } from "@shop/generated/shop/payments/v1/payments_pb.js";
import { testDatabase } from "protoscaffold/testing/database";
import { afterEach, beforeAll, expect, test } from "vitest";
import { root, scaffold, until } from "./testing/shop.js";

const dist = join(root, "examples/shop/dist");
let database: string;
let broker: string;
let child: ChildProcess | undefined;
let output = "";

beforeAll(async () => {
  expect((await scaffold("build")).code).toBe(0);
  [database, broker] = await Promise.all([testDatabase(), testDatabase()]);
}, 60_000);

afterEach(() => child?.kill("SIGKILL"));

/** Runs a built program with nothing but the environment it is given. */
function start(name: string, env: NodeJS.ProcessEnv): Promise<number | null> {
  output = "";
  const started = spawn(process.execPath, [join(dist, name, "main.js")], { env, stdio: ["ignore", "pipe", "pipe"] });
  for (const stream of [started.stdout, started.stderr]) {
    stream.on("data", (chunk) => {
      output += chunk;
    });
  }
  child = started;
  return new Promise((resolve) => started.once("close", resolve));
}

/** Returns the port on which the program has said that it listens. */
const port = () => /"port":(\d+),"msg":"listening"/.exec(output)?.[1] ?? "none";

test("a service refuses a database without its tables, applies them when told to, serves, and drains", async () => {
  const env = { PORT: "0", DATABASE_URL: database, BROKER_URL: broker };
  expect(await start("payments", env)).toBe(1);
  expect(output).toMatch(/0001_create_payments\.sql.*MIGRATE=on/s);

  const ended = start("payments", { ...env, MIGRATE: "on" });
  await until("payments listens", () => output.includes('"listening"'));
  const client = createPaymentServiceClient({ baseUrl: `http://127.0.0.1:${port()}` });
  const payment = await client.capturePayment({ requestId: "1", orderId: "o", amountCents: 1n, paymentMethod: "card" });
  expect(payment.state).toBe(PaymentState.CAPTURED);
  const metrics = await (await fetch(`http://127.0.0.1:${port()}/metrics`)).text();
  expect(metrics).toContain('scaffold_database_up{service="payments"} 1');
  child?.kill("SIGTERM");
  expect(await ended).toBe(0);
  expect(output).toContain('"stopped"');
});

test("all that is wrong with the environment is said at once", async () => {
  expect(await start("orders", { PORT: "many", INVENTORY_URL: "nowhere" })).toBe(1);
  for (const name of ["PORT", "DATABASE_URL", "INVENTORY_URL", "PAYMENTS_URL"])
    expect(output).toContain(`  ${name} is `);
  expect(await start("gateway", {})).toBe(1);
  for (const name of ["PORT", "USERS_URL", "ORDERS_URL", "INVENTORY_URL", "NOTIFICATIONS_URL", "PAYMENTS_URL"])
    expect(output).toContain(`  ${name} is `);
});

test("a taken port is named, with the way out", async () => {
  const env = { DATABASE_URL: database, BROKER_URL: broker };
  void start("payments", { ...env, PORT: "0", MIGRATE: "on" });
  await until("payments listens", () => output.includes('"listening"'));
  const first = child;
  const taken = port();
  expect(await start("payments", { ...env, PORT: taken })).toBe(1);
  first?.kill("SIGKILL");
  expect(output).toContain(taken);
  expect(output).toMatch(/in use|taken/);
});
