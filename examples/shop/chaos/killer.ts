import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type ProcessRecord, readState } from "protoscaffold/dev/state";
import { type Shop, until } from "../testing/shop.js";
import type { Random } from "./random.js";

/** Whom it kills, each once in a round: all that orders go through. The database takes everyone's work with it. */
const victims = ["orders", "orders", "inventory", "payments", "gateway-1", "gateway-2", "postgres"];
const LATEST_MS = 400;

/** Kills processes of a shop with SIGKILL. */
export class Killer {
  readonly #killed = new Map<string, number>();
  /** Who is still to be killed in this round. */
  #round: string[] = [];

  constructor(
    private readonly shop: Shop,
    private readonly random: Random,
  ) {}

  get kills(): number {
    return [...this.#killed.values()].reduce((sum, count) => sum + count, 0);
  }

  /** Kills one process at a moment within the next 400 ms, and now and then another one. */
  async strike(): Promise<void> {
    // All is drawn first, so that how long things take changes nothing.
    const times = this.random() < 0.3 ? 2 : 1;
    const plan = Array.from({ length: times }, () => [this.#draw(), this.random() * LATEST_MS] as const);
    for (const [name, delayMs] of plan) {
      await sleep(delayMs);
      await this.#kill(name);
    }
  }

  /** Waits until every process runs again. */
  async everyoneIsBack(): Promise<void> {
    await until("every process is healthy", async () =>
      (await this.#processes()).every(({ state }) => state === "healthy"),
    );
  }

  summary(): string {
    return [...this.#killed].map(([name, count]) => `${name} ${count}`).join(", ");
  }

  #draw(): string {
    if (this.#round.length === 0) this.#round = [...victims];
    const [victim] = this.#round.splice(Math.floor(this.random() * this.#round.length), 1);
    return victim as string;
  }

  async #kill(name: string): Promise<void> {
    const found = (await this.#processes()).find((record) => record.name === name);
    // It is still coming back from the last time.
    if (found?.process === undefined) return;
    try {
      process.kill(found.process.pid, "SIGKILL");
      this.#killed.set(name, (this.#killed.get(name) ?? 0) + 1);
    } catch {
      // It has just died.
    }
  }

  async #processes(): Promise<ProcessRecord[]> {
    const running = await readState(join(this.shop.state, "run.json"));
    return running === undefined ? [] : [...running.processes, ...(running.postgres ? [running.postgres] : [])];
  }
}
