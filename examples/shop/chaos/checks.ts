import type { Shop } from "../testing/shop.js";
import { effectsAddUp, everyEventIsTakenOnce, everyKeyIsInOrder, nobodyIsBehind, nothingWaits } from "./events.js";
import { stocked } from "./orders.js";

/** Says what is wrong with a shop in which nothing is under way any more; nothing, if it is sound. */
export type Check = (
  shop: Shop,
  /** The ids of the orders that customers were told of. */
  accepted: readonly string[],
  products: readonly { readonly id: string; readonly priceCents: number }[],
) => Promise<string[]>;

/** All that must hold; other checks come beside these. */
export const soundness: readonly Check[] = [
  everyOrderHasEnded,
  noSagaIsLeft,
  bothSidesAgree,
  goodsAddUp,
  moneyAddsUp,
  everyEventIsTakenOnce,
  everyKeyIsInOrder,
  nothingWaits,
  nobodyIsBehind,
  effectsAddUp,
];

const PENDING = 1;
const CONFIRMED = 2;
const CANCELLED = 3;
const RESERVED = 1;
const CAPTURED = 1;

interface OrderRow {
  readonly id: string;
  readonly state: number;
  readonly total_cents: string;
  readonly lines: readonly { readonly productId: string; readonly quantity: number }[] | null;
}

const ordersOf = (shop: Shop) =>
  shop.query<OrderRow>("orders", `SELECT "id", "state", "total_cents", "lines" FROM "orders"`);

async function everyOrderHasEnded(shop: Shop, accepted: readonly string[]): Promise<string[]> {
  const orders = new Map((await ordersOf(shop)).map((order) => [order.id, order.state]));
  const told = new Set(accepted);
  return [
    ...(told.size === accepted.length ? [] : [`${accepted.length - told.size} orders were placed under one id`]),
    ...[...told].flatMap((id) => (orders.has(id) ? [] : [`order ${id} was accepted, and is lost`])),
    ...[...orders].flatMap(([id, state]) => {
      if (!told.has(id)) return [`order ${id} is there, and nobody was told of it`];
      return state === CONFIRMED || state === CANCELLED ? [] : [`order ${id} has not ended: its state is ${state}`];
    }),
  ];
}

async function noSagaIsLeft(shop: Shop): Promise<string[]> {
  const left = await shop.query<{ id: string; state: string; error: string | null }>(
    "orders",
    `SELECT "id", "state", "error" FROM "scaffold_sagas" WHERE "ended_at" IS NULL`,
  );
  return left.map(({ id, state, error }) => `saga ${id} is still ${state}: ${error}`);
}

/** A confirmed order has its goods and its money, once; another one has neither. */
async function bothSidesAgree(shop: Shop): Promise<string[]> {
  const orders = await ordersOf(shop);
  const held = await countBy(shop, "inventory", "reservations", RESERVED);
  const paid = await shop.query<{ order_id: string; amount_cents: string }>(
    "payments",
    `SELECT "order_id", "amount_cents" FROM "payments" WHERE "state" = ${CAPTURED}`,
  );
  const known = new Set(orders.map(({ id }) => id));
  const strangers = [...held.keys(), ...paid.map((payment) => payment.order_id)].filter((id) => !known.has(id));
  return [
    ...strangers.map((id) => `goods or money are held for order ${id}, which does not exist`),
    ...orders.flatMap(({ id, state, total_cents }) => {
      if (state === PENDING) return [];
      const amounts = paid.filter((payment) => payment.order_id === id).map(({ amount_cents }) => amount_cents);
      const wanted = state === CONFIRMED ? [total_cents] : [];
      const goods = held.get(id) ?? 0;
      return [
        ...(goods === wanted.length ? [] : [`order ${id} is in state ${state} and has ${goods} reservations`]),
        ...(amounts.join() === wanted.join() ? [] : [`order ${id} is in state ${state} and paid ${amounts.join()}`]),
      ];
    }),
  ];
}

async function goodsAddUp(shop: Shop, accepted: readonly string[], products: Parameters<Check>[2]): Promise<string[]> {
  const orders = (await ordersOf(shop)).filter(({ state }) => state === CONFIRMED);
  const stocks = await shop.query<{ product_id: string; available: number; reserved: number }>(
    "inventory",
    `SELECT "product_id", "available", "reserved" FROM "stocks"`,
  );
  return products.flatMap(({ id }) => {
    const stock = stocks.find(({ product_id }) => product_id === id);
    if (stock === undefined) return [`nobody counts ${id}`];
    const lines = orders.flatMap((order) => order.lines ?? []).filter(({ productId }) => productId === id);
    const sold = lines.reduce((sum, { quantity }) => sum + quantity, 0);
    const all = stocked(id, accepted.length);
    return [
      ...(stock.reserved === sold ? [] : [`${stock.reserved} of ${id} are reserved, and ${sold} were sold`]),
      ...(stock.available + stock.reserved === all ? [] : [`of ${all} ${id} there are ${stock.available} + ${sold}`]),
    ];
  });
}

async function moneyAddsUp(shop: Shop): Promise<string[]> {
  const sum = async (service: string, sql: string) =>
    (await shop.query<{ cents: string }>(service, `SELECT coalesce(sum(${sql}`))[0]?.cents;
  const asked = await sum("orders", `"total_cents"), 0)::text AS "cents" FROM "orders" WHERE "state" = ${CONFIRMED}`);
  const taken = await sum(
    "payments",
    `"amount_cents"), 0)::text AS "cents" FROM "payments" WHERE "state" = ${CAPTURED}`,
  );
  return asked === taken ? [] : [`confirmed orders cost ${asked} cents, and ${taken} cents were taken`];
}

async function countBy(shop: Shop, service: string, table: string, state: number): Promise<Map<string, number>> {
  const rows = await shop.query<{ order_id: string; count: number }>(
    service,
    `SELECT "order_id", count(*)::int AS "count" FROM "${table}" WHERE "state" = ${state} GROUP BY "order_id"`,
  );
  return new Map(rows.map(({ order_id, count }) => [order_id, count]));
}
