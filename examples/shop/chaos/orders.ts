import { setTimeout as sleep } from "node:timers/promises";
import { until } from "../testing/shop.js";
import { pick, type Random } from "./random.js";

/** What is sold. There is enough of all but the last. */
export const products = [
  { id: "chaos-cup", priceCents: 1250 },
  { id: "chaos-pen", priceCents: 199 },
  { id: "chaos-lamp", priceCents: 7499 },
  { id: "chaos-rarity", priceCents: 33 },
] as const;
const PLENTY = 1_000_000;
/** How long somebody asks while everything is being killed. */
const ENDLESS_S = 3600;
/** And how long once it is not. */
const PATIENCE_S = 60;

/** How many of a product there are before anybody orders. */
export function stocked(product: string, orders: number): number {
  return product === "chaos-rarity" ? Math.ceil(orders / 10) : PLENTY;
}

/** People who order, and ask again until they are answered. */
export class Customers {
  /** The ids of the orders that were accepted. */
  readonly accepted: string[] = [];
  readonly #cancelling: Promise<void>[] = [];
  /** The orders that somebody has asked to cancel, and knows no more. */
  readonly #unanswered = new Set<string>();
  #asked = 0;

  constructor(
    private readonly address: string,
    private readonly random: Random,
  ) {}

  /** Puts the goods on the shelf. */
  async stockUp(orders: number): Promise<void> {
    for (const { id, priceCents } of products) {
      await this.#ask("/v1/products", { id, name: id, priceCents: String(priceCents) });
      await this.#ask("/v1/stocks", { productId: id, available: stocked(id, orders) });
    }
  }

  /** Places so many orders at once, each until it is accepted. Some are cancelled at some time after that. */
  async order(count: number): Promise<void> {
    const wanted = Array.from({ length: count }, () => ({ ...this.#draw(), lateMs: this.random() * 300 }));
    await Promise.all(
      wanted.map(async ({ order, lateMs, cancelMs }) => {
        await sleep(lateMs);
        const { id } = await this.#ask("/v1/orders", order);
        this.accepted.push(id);
        if (cancelMs !== undefined) this.#cancelling.push(this.#cancel(id, cancelMs));
      }),
    );
  }

  /** What they still wait for a while after nobody is killed any more. */
  async complaints(): Promise<string[]> {
    await Promise.race([Promise.all(this.#cancelling), sleep(PATIENCE_S * 1000)]);
    return [...this.#unanswered].map((id) => `nobody has answered that order ${id} is cancelled`);
  }

  #draw() {
    const lines = Array.from({ length: 1 + Math.floor(this.random() * 3) }, () => ({
      productId: pick(this.random, products).id,
      quantity: 1 + Math.floor(this.random() * 4),
    }));
    const paymentMethod = this.random() < 0.1 ? "declined" : "card";
    const cancelMs = this.random() < 0.05 ? this.random() * 1000 : undefined;
    return { order: { requestId: `chaos-${++this.#asked}`, customerId: "chaos", lines, paymentMethod }, cancelMs };
  }

  async #cancel(id: string, inMs: number): Promise<void> {
    await sleep(inMs);
    this.#unanswered.add(id);
    await this.#ask(`/v1/orders/${id}:cancel`, {});
    this.#unanswered.delete(id);
  }

  /** Asks until there is an answer, as a client does whose requests carry keys. */
  async #ask(path: string, body: object): Promise<{ id: string }> {
    let answer: { id: string } | undefined;
    await until(
      `${path} is answered`,
      async () => {
        try {
          const response = await fetch(`${this.address}${path}`, {
            method: "POST",
            headers: { "content-type": "application/json" },
            body: JSON.stringify(body),
            signal: AbortSignal.timeout(8000),
          });
          const text = await response.text();
          if (response.ok) answer = JSON.parse(text);
          else if (response.status === 400) throw new Refused(text);
          return response.ok;
        } catch (error) {
          if (error instanceof Refused) throw error;
          return false;
        }
      },
      ENDLESS_S,
    );
    return answer as { id: string };
  }
}

/** What no repetition helps against. */
class Refused extends Error {}
