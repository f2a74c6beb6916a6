import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { createAnalyticsServiceClient } from "@shop/generated/shop/analytics/v1/analytics_client.js";
import { createNotificationServiceClient } from "@shop/generated/shop/notifications/v1/notifications_client.js";
import { createOrderServiceClient } from "@shop/generated/shop/orders/v1/orders_client.js";
import { createRecommendationServiceClient } from "@shop/generated/shop/recommendations/v1/recommendations_client.js";

const TIMEOUT_MS = 30_000;
const INTERVAL_MS = 5;

/** Places an order of two products, and prints when its events reach notifications, analytics and recommendations. */
export async function printHeard(baseUrl: string): Promise<void> {
  const notifications = createNotificationServiceClient({ baseUrl });
  const recommendations = createRecommendationServiceClient({ baseUrl });
  const analytics = createAnalyticsServiceClient({ baseUrl });
  const customerId = `demo-${randomUUID()}`;
  const [productId, other] = ["notebook-a5", "espresso-cup"] as const;

  const told = async () => {
    const page = await notifications.listNotifications({ filter: `user_id = "${customerId}"` });
    return page.notifications.map(({ subject, text }) => `${subject}: ${text}`);
  };
  const together = async () => {
    const answer = await recommendations.listRecommendations({ productId, pageSize: 100 });
    return answer.recommendations.find((candidate) => candidate.productId === other)?.orders ?? 0n;
  };
  const sold = async () => (await analytics.listSalesDays({ orderBy: "day desc", pageSize: 1 })).salesDays[0];
  const [togetherBefore, soldBefore] = await Promise.all([together(), sold()]);

  const lines = [productId, other].map((product) => ({ productId: product, quantity: 1 }));
  const start = performance.now();
  const order = { requestId: randomUUID(), customerId, lines, paymentMethod: "card" };
  const { id } = await createOrderServiceClient({ baseUrl }).placeOrder(order);
  process.stdout.write(`\nServices that consumed the events of order ${id}\n\n`);

  const seen = new Set<string>();
  let isTold = false;
  let isCounted = false;
  let isLearned = false;
  while (!(isTold && isCounted && isLearned)) {
    if (performance.now() - start > TIMEOUT_MS)
      throw new Error(`the events of order ${id} did not reach all services in 30 s`);
    for (const text of await told()) {
      if (!seen.has(text)) print("notifications", text);
      seen.add(text);
    }
    isTold = [...seen].some((text) => text.includes("cancelled")) || seen.size === 3;
    const day = await sold();
    if (!isCounted && day !== undefined && (day.day !== soldBefore?.day || day.orders > soldBefore.orders)) {
      print("analytics", `${day.day}: orders ${day.orders}, things ${day.items}`);
      isCounted = true;
    }
    const count = await together();
    if (!isLearned && count > togetherBefore) {
      print("recommendations", `orders of both ${productId} and ${other}: ${count}`);
      isLearned = true;
    }
    await sleep(INTERVAL_MS);
  }

  function print(service: string, text: string): void {
    process.stdout.write(`${(performance.now() - start).toFixed(0).padStart(6)} ms  ${service.padEnd(17)}${text}\n`);
  }
}
