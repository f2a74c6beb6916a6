import type { Transaction } from "@protoscaffold/runtime/data";
import { type SalesDayRow, salesDays } from "@shop/generated/shop/analytics/v1/analytics_schema.js";
import {
  type AnalyticsServiceEntities,
  analyticsService,
} from "@shop/generated/shop/analytics/v1/analytics_service.js";
import { sql } from "drizzle-orm";

export const analytics = analyticsService({
  handlers: () => ({}),
  consumers: () => ({
    async userRegistered({ time }, { tx }) {
      await count(tx, time, { registrations: 1n });
    },

    async orderPlaced({ time, event: { lines } }, { tx }) {
      const items = lines.reduce((sum, { quantity }) => sum + quantity, 0);
      await count(tx, time, { orders: 1n, items: BigInt(items) });
    },

    async paymentCaptured({ time, event: { amountCents } }, { tx }) {
      await count(tx, time, { revenueCents: amountCents });
    },
  }),
});

/** Adds to a day's counts in one statement, so concurrent additions are not lost and wait only for that statement. */
async function count(
  tx: Transaction<AnalyticsServiceEntities>,
  time: Date,
  counts: Partial<Omit<SalesDayRow, "day">>,
): Promise<void> {
  const { day, registrations, orders, items, revenueCents } = salesDays;
  await tx.db
    .insert(salesDays)
    .values({ day: time.toISOString().slice(0, 10), ...counts })
    .onConflictDoUpdate({
      target: day,
      set: {
        registrations: sql`${registrations} + excluded."registrations"`,
        orders: sql`${orders} + excluded."orders"`,
        items: sql`${items} + excluded."items"`,
        revenueCents: sql`${revenueCents} + excluded."revenue_cents"`,
      },
    });
}
