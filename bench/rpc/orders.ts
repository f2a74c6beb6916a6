import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { create } from "@bufbuild/protobuf";
import { OrderSchema } from "@shop/generated/shop/orders/v1/orders_pb.js";
import { orders } from "@shop/generated/shop/orders/v1/orders_schema.js";
import { drizzle } from "drizzle-orm/node-postgres";
import pg from "pg";
import { startPostgres } from "../../generator/dev/postgres.js";
import { migrate } from "../../runtime/service/migrations.js";
import { bigId, order } from "./order.js";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** Starts the database of the shop's orders, with those orders in it that are asked for. */
export async function startOrders(): Promise<{ readonly url: string; stop(): Promise<void> }> {
  await mkdir(here("../../.scaffold"), { recursive: true });
  const folder = await mkdtemp(here("../../.scaffold/bench-rpc-"));
  const postgres = await startPostgres({ directory: join(folder, "postgres") });
  await postgres.createDatabase("orders");
  const url = postgres.url("orders");
  await migrate({ url, directory: new URL("../../examples/shop/orders/migrations/", import.meta.url) });
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const rows = ["order-1", bigId].map((id) => create(OrderSchema, order(id)));
  await drizzle({ client })
    .insert(orders)
    .values(
      rows.map(({ createTime, updateTime, ...row }) => ({ ...row, createTime: createTime!, updateTime: updateTime! })),
    );
  await client.end();
  return {
    url,
    async stop() {
      await postgres.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
