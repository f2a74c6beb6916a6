import { parseArgs } from "node:util";
import { Broker, brokers } from "./chaos/broker.js";
import { soundness } from "./chaos/checks.js";
import { eventsAreThrough } from "./chaos/events.js";
import { Killer } from "./chaos/killer.js";
import { Customers, products } from "./chaos/orders.js";
import { seeded } from "./chaos/random.js";
import { startShop, until } from "./testing/shop.js";

/**
 * Places orders while the shop's processes are killed and frozen at random, then checks that nothing is lost, doubled or left undone.
 *
 *     npm run chaos -- --orders 10000 [--seed 7] [--broker kafka]
 *
 * The broker is PostgreSQL, unless `--broker` names another, which is started, killed and started again. It runs a shop of its
 * own, and prints the seed, with which the same orders are placed and the same kills are drawn again; what meets what is up to
 * the machine.
 */
const ORDERS_A_WAVE = 25;
/** How long all that was begun may take to end once nobody is killed any more. */
const SETTLE_S = 120;

const { values } = parseArgs({
  options: { orders: { type: "string" }, seed: { type: "string" }, broker: { type: "string", default: "postgres" } },
});
const orders = Number(values.orders ?? 1000);
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31));
const random = seeded(seed);
const begun = performance.now();
const say = (line: string) => process.stdout.write(`${line}\n`);

const name = brokers.find((each) => each === values.broker);
if (name === undefined) throw new Error(`--broker is one of ${brokers.join(", ")}`);

say(`chaos: ${orders} orders, seed ${seed}, events over ${name}`);
const broker = name === "postgres" ? undefined : await Broker.start(name);
const shop = await startShop({ env: broker && { BROKER_URL: broker.url } }).catch(async (error) => {
  await broker?.remove();
  throw error;
});
let faults: string[];
try {
  const killer = new Killer(shop, random, broker);
  const customers = new Customers(shop.address, random);
  await customers.stockUp(orders);
  const waves = Math.ceil(orders / ORDERS_A_WAVE);
  for (let wave = 1; wave <= waves; wave++) {
    const size = Math.min(ORDERS_A_WAVE, orders - (wave - 1) * ORDERS_A_WAVE);
    // However short the run, the broker dies once.
    if (wave === Math.ceil(waves / 2)) killer.strikeBroker();
    await Promise.all([customers.order(size), killer.strike()]);
    if (wave % 20 === 0)
      say(`${wave * ORDERS_A_WAVE} orders, ${killer.kills} kills, ${killer.freezes} freezes, ${seconds()} s`);
  }
  await killer.everyoneIsBack();
  const complaints = await customers.complaints();
  const settling = performance.now();
  await until(
    "every saga has ended",
    async () => (await shop.count("orders", "scaffold_sagas", `"ended_at" IS NULL`)) === 0,
    SETTLE_S,
  ).catch(() => undefined);
  await until("every event is through", () => eventsAreThrough(shop), SETTLE_S).catch(() => undefined);
  const settledS = ((performance.now() - settling) / 1000).toFixed(1);
  const found = await Promise.all(soundness.map((check) => check(shop, customers.accepted, products)));
  faults = [...complaints, ...found.flat()];
  const state = (number: number) => shop.count("orders", "orders", `"state" = ${number}`);
  say(`${await state(2)} confirmed, ${await state(3)} cancelled, the last ${settledS} s after the last answer`);
  const reasons = await shop.query<{ reason: string; count: number }>(
    "orders",
    `SELECT split_part("cancel_reason", ':', 1) AS "reason", count(*)::int AS "count" FROM "orders" WHERE "state" = 3 GROUP BY 1`,
  );
  say(`cancelled for: ${reasons.map(({ reason, count }) => `${reason} ${count}`).join(", ")}`);
  const { killed, frozen } = killer.summary();
  say(`killed: ${killed}`);
  say(`frozen: ${frozen}`);
} finally {
  await shop.stop();
  await broker?.remove();
}
for (const fault of faults) say(`WRONG: ${fault}`);
say(
  faults.length === 0 ? `sound, after ${seconds()} s` : `${faults.length} faults: --seed ${seed} draws the same again`,
);
// Whoever still asks does not keep it.
process.exit(faults.length === 0 ? 0 : 1);

function seconds(): string {
  return ((performance.now() - begun) / 1000).toFixed(0);
}
