import { create } from "@bufbuild/protobuf";
import { timestampNow } from "@bufbuild/protobuf/wkt";
import { OrderSchema, OrderState } from "@shop/generated/shop/orders/v1/orders_pb.js";
import { type OrderRepository, orderEntity } from "@shop/generated/shop/orders/v1/orders_repository.js";
import { orderFromRow, orders } from "@shop/generated/shop/orders/v1/orders_schema.js";
import { asc, eq } from "drizzle-orm";
import { drizzle } from "drizzle-orm/node-postgres";
import pg from "pg";
import { v7 as uuidv7 } from "uuid";
import { openData } from "../../runtime/data/data.js";
import { type Cost, inRounds } from "../rounds.js";

/** How many rows there are, and how many calls are under way at a time. */
const ROWS = 1000;
const CONCURRENCY = 8;
const CONNECTIONS = 8;

/** An operation, by the repository and by hand. */
export type RepositoryCosts = Readonly<Record<"get" | "list" | "create", Record<"generated" | "hand", Cost[]>>>;

const init = {
  customerId: "ada",
  state: OrderState.CONFIRMED,
  lines: [1, 2, 3].map((n) => ({ productId: `product-${n}`, quantity: n, unitPriceCents: 1250n })),
  totalCents: 7500n,
  reservationId: "r",
  paymentId: "p",
};

/** The generated repository, without a cache, beside what somebody would write with Drizzle and the same table. */
export async function measureRepository(url: string, rounds: number): Promise<RepositoryCosts> {
  const entities = { orders: { entity: orderEntity } };
  const data = openData<{ orders: OrderRepository }>({ url, service: "bench", entities, maxConnections: CONNECTIONS });
  const generated = data.repositories.orders;
  const pool = new pg.Pool({ connectionString: url, max: CONNECTIONS });
  const hand = byHand(pool);
  try {
    const ids: string[] = [];
    for (let n = 0; n < ROWS; n++) ids.push((await generated.create(init)).id);
    const id = (n: number) => ids[(n * 7) % ROWS]!;
    return {
      get: await inRounds(
        { generated: sideBySide((n) => generated.get(id(n))), hand: sideBySide((n) => hand.get(id(n))) },
        { rounds, count: 4000 },
      ),
      list: await inRounds(
        { generated: sideBySide(() => generated.list({ pageSize: 50 })), hand: sideBySide(() => hand.list(50)) },
        { rounds, count: 400 },
      ),
      create: await inRounds(
        { generated: sideBySide(() => generated.create(init)), hand: sideBySide(() => hand.create()) },
        { rounds, count: 1000 },
      ),
    };
  } finally {
    await data.close();
    await pool.end();
  }
}

/** The same three, answering with the same messages. */
function byHand(pool: pg.Pool) {
  const db = drizzle(pool);
  return {
    async get(id: string) {
      const [row] = await db.select().from(orders).where(eq(orders.id, id));
      if (row === undefined) throw new Error(`no order ${id}`);
      return orderFromRow(row);
    },
    async list(pageSize: number) {
      const rows = await db
        .select()
        .from(orders)
        .orderBy(asc(orders.id))
        .limit(pageSize + 1);
      return { items: rows.slice(0, pageSize).map(orderFromRow), next: rows.length > pageSize };
    },
    async create() {
      const now = timestampNow();
      const { lines, ...rest } = init;
      const [row] = await db
        .insert(orders)
        .values({
          ...rest,
          id: uuidv7(),
          lines: create(OrderSchema, { lines }).lines,
          createTime: now,
          updateTime: now,
        })
        .returning();
      return orderFromRow(row!);
    },
  };
}

/** Runs an operation `count` times, so many at a time. */
function sideBySide(run: (n: number) => Promise<unknown>): (count: number) => Promise<void> {
  return async (count) => {
    let next = 0;
    const one = async () => {
      while (next < count) await run(next++);
    };
    await Promise.all(Array.from({ length: CONCURRENCY }, one));
  };
}
