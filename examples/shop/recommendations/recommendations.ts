import { pairs } from "@shop/generated/shop/recommendations/v1/recommendations_schema.js";
import { recommendationService } from "@shop/generated/shop/recommendations/v1/recommendations_service.js";
import { sql } from "drizzle-orm";

const DEFAULT_PAGE_SIZE = 5;
const MAX_PAGE_SIZE = 100;

export const recommendations = recommendationService({
  handlers: (service) => ({
    async listRecommendations({ productId, pageSize }) {
      const { items } = await service.pairs.list({
        filter: `product_id = "${productId.replaceAll(/["\\]/g, "\\$&")}"`,
        orderBy: "orders desc, other_product_id",
        pageSize: Math.min(pageSize || DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE),
      });
      return { recommendations: items.map(({ otherProductId, orders }) => ({ productId: otherProductId, orders })) };
    },
  }),
  consumers: () => ({
    async orderPlaced({ event: { lines } }, { tx }) {
      const products = sql`unnest(${sql.param([...new Set(lines.map(({ productId }) => productId))])}::text[])`;
      // Insert in the order of ids, so that two orders never deadlock.
      await tx.db.execute(sql`
        INSERT INTO ${pairs} ("id", "product_id", "other_product_id", "orders")
        SELECT gen_random_uuid(), "one", "other", 1 FROM ${products} AS "one", ${products} AS "other"
        WHERE "one" <> "other" ORDER BY "one", "other"
        ON CONFLICT ("product_id", "other_product_id") DO UPDATE SET "orders" = ${pairs.orders} + 1`);
    },
  }),
});
