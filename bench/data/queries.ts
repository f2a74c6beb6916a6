import { createInventoryServiceClient } from "@shop/generated/shop/inventory/v1/inventory_client.js";
import pg from "pg";
import { inventory } from "../../examples/shop/inventory/inventory.js";
import { inMemory } from "../../runtime/service/in-memory.js";

/** The statements that one request ran. */
export interface Queries {
  readonly request: string;
  readonly statements: readonly string[];
}

/** Counts the statements of standard methods; BEGIN and COMMIT are among them. */
export async function countQueries(databaseUrl: string): Promise<Queries[]> {
  const service = await inMemory(inventory, { databaseUrl });
  const client = createInventoryServiceClient({ transport: service.transport });
  const ids = Array.from({ length: 50 }, (_, n) => `product-${n}`);
  for (const id of ids) await client.createProduct({ product: { id, name: id, priceCents: 100n } });
  const seen = watchStatements();
  try {
    const found: Queries[] = [];
    const count = async (request: string, run: () => Promise<unknown>) => {
      seen.statements.length = 0;
      await run();
      found.push({ request, statements: seen.statements.map(brief) });
    };
    await count("GetProduct, not cached", () => client.getProduct({ id: ids[0]! }));
    await count("GetProduct, cached", () => client.getProduct({ id: ids[0]! }));
    await count("BatchGetProducts of 50, one cached", () => client.batchGetProducts({ ids }));
    await count("ListProducts of 50", () => client.listProducts({}));
    await count("CreateProduct", () => client.createProduct({ product: { name: "cup", priceCents: 100n } }));
    await count("CreateProduct with request_id", () =>
      client.createProduct({ requestId: "1", product: { name: "cup", priceCents: 100n } }),
    );
    await count("UpdateProduct", () =>
      client.updateProduct({ product: { id: ids[0]!, priceCents: 200n }, updateMask: { paths: ["price_cents"] } }),
    );
    await count("DeleteProduct", () => client.deleteProduct({ id: ids[1]! }));
    return found;
  } finally {
    seen.stop();
    await service.close();
  }
}

/** Listens to what any connection of this process is asked. */
function watchStatements(): { statements: string[]; stop(): void } {
  const statements: string[] = [];
  const { prototype } = pg.Client;
  const query = prototype.query as (...args: unknown[]) => unknown;
  prototype.query = function (this: pg.Client, ...args: unknown[]) {
    const [first] = args;
    statements.push(typeof first === "string" ? first : (first as { text: string }).text);
    return query.apply(this, args);
  } as typeof prototype.query;
  return {
    statements,
    stop() {
      prototype.query = query as typeof prototype.query;
    },
  };
}

/** `select products`, `begin`. */
function brief(text: string): string {
  const verb = /^\s*(\w+)/.exec(text)?.[1]?.toLowerCase() ?? text;
  const table = /\b(?:from|into|update)\s+"(\w+)"/i.exec(text)?.[1];
  return table === undefined ? verb : `${verb} ${table}`;
}
