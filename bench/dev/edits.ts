import type { ShopCopy } from "./copy.js";
import type { RunningSystem, Span } from "./running.js";

const handler = "examples/shop/recommendations/recommendations.ts";
const firstLine = "async listRecommendations({ productId, pageSize }) {";
const gateways = ["gateway-1", "gateway-2"];

/** Saves a handler, until the gateway returns its new answer. */
export function handlerEdit({ edit }: ShopCopy, system: RunningSystem, round: number): Promise<Span> {
  const answer = `round-${round}`;
  const line = (name: string) =>
    `\n      if (productId === "${name}") return { recommendations: [{ productId: "${name}" }] };`;
  return system.until(
    () => edit(handler, firstLine, `${firstLine}${line(answer)}`),
    async () => (await textOf(`${system.url}/v1/products/${answer}/recommendations`)).includes(`"${answer}"`),
  );
}

/** The messages that get a new field: one service's own, and one of a contract that four other services import. */
export const contracts = {
  recommendations: {
    path: "proto/shop/recommendations/v1/recommendations.proto",
    message: "message ListRecommendationsRequest {",
    method: "shop.recommendations.v1.RecommendationService/ListRecommendations",
    request: { productId: "x" },
    route: "/v1/products/x/recommendations",
  },
  orders: {
    path: "proto/shop/orders/v1/orders.proto",
    message: "message GetReceiptRequest {",
    method: "shop.orders.v1.OrderService/GetReceipt",
    request: { id: "x" },
    route: "/v1/orders/x/receipt",
  },
} as const;

/**
 * Saves a contract with a new field of a request, until its service and both gateways know the field, which they refuse before,
 * and every process is healthy.
 */
export function contractEdit(
  { edit }: ShopCopy,
  system: RunningSystem,
  name: keyof typeof contracts,
  round: number,
): Promise<Span> {
  const { path, message, method, request, route } = contracts[name];
  const field = `edit${round}`;
  const refused = async (address: string, init?: RequestInit) => /edit\d|^$/.test(await textOf(address, init));
  return system.until(
    () => edit(path, message, `${message}\n  // Round ${round}.\n  string ${field} = ${round + 100};`),
    async () => {
      for (const gateway of gateways) {
        if (await refused(`${system.address(gateway)}${route}?${field}=1`)) return false;
      }
      const body = JSON.stringify({ ...request, [field]: "1" });
      const headers = { "content-type": "application/json" };
      if (await refused(`${system.address(name)}/${method}`, { method: "POST", headers, body })) return false;
      return system.healthy();
    },
  );
}

/** Returns a response's body; empty if there is none. */
async function textOf(address: string, init?: RequestInit): Promise<string> {
  try {
    return await (await fetch(address, { ...init, signal: AbortSignal.timeout(1_000) })).text();
  } catch {
    return "";
  }
}
