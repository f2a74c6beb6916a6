import { setTimeout as sleep } from "node:timers/promises";
import type { SystemProcess } from "protoscaffold/testing/system";
import { type Shop, until } from "../testing/shop.js";
import type { Broker } from "./broker.js";
import { pick, type Random } from "./random.js";

/**
 * Whom it kills of the shop's own: all that orders and their events go through. The database, and the broker in it, takes everyone's
 * work with it.
 */
const victims = new Set(
  "orders inventory payments notifications analytics recommendations gateway-1 gateway-2 postgres".split(" "),
);
const LATEST_MS = 400;
/**
 * How long a process has been up before it is killed again. The supervisor takes more frequent deaths for a process that
 * cannot run, and starts it ever later: then nothing would be under way that could be lost.
 */
const SETTLED_MS = 10_500;

/**
 * Of those who are not killed, how many are frozen, and for how long at most: longer than leases of sagas and partitions last, so
 * that whoever wakes up takes for its own what is another's by then. It is what a network that is cut looks like to the others.
 */
const FROZEN_SHARE = 0.25;
const LONGEST_FREEZE_MS = 7000;

/** Somebody who may die. */
interface Victim {
  readonly name: string;
  /** Throws if it has just died. */
  kill(): void;
  /** Stops it, and has it go on later. Undefined: it cannot be stopped as a whole. */
  readonly freeze?: (ms: number) => void;
}

/** Kills processes of a shop, and the broker beside it, with SIGKILL, or freezes them with SIGSTOP. */
export class Killer {
  readonly #killed = new Map<string, number>();
  readonly #frozen = new Map<string, number>();
  /** The processes that were killed: the supervisor may call them healthy until it notices. */
  readonly #dead = new Set<number>();

  constructor(
    private readonly shop: Shop,
    private readonly random: Random,
    private readonly broker?: Broker,
  ) {}

  get kills(): number {
    return [...this.#killed.values()].reduce((sum, count) => sum + count, 0);
  }

  get freezes(): number {
    return [...this.#frozen.values()].reduce((sum, count) => sum + count, 0);
  }

  /**
   * Kills or freezes one process at a moment within the next 400 ms, and now and then another one; waits for somebody to be
   * there.
   */
  async strike(): Promise<void> {
    // All is drawn first, so that how long things take changes nothing of what comes after.
    const times = this.random() < 0.3 ? 2 : 1;
    const plan = Array.from({ length: times }, () => ({
      delayMs: this.random() * LATEST_MS,
      draw: this.random(),
      freezeMs: this.random() < FROZEN_SHARE ? this.random() * LONGEST_FREEZE_MS : undefined,
    }));
    for (const { delayMs, draw, freezeMs } of plan) {
      await sleep(delayMs);
      let there: Victim[] = [];
      await until("there is somebody to kill", async () => {
        there = await this.#settled();
        return there.length > 0;
      });
      const victim = pick(() => draw, there);
      if (freezeMs === undefined || victim.freeze === undefined) this.#note(this.#killed, victim, () => victim.kill());
      else this.#note(this.#frozen, victim, () => victim.freeze?.(freezeMs));
    }
  }

  /** Kills the broker beside the shop, if there is one and it is up. */
  strikeBroker(): void {
    const { broker } = this;
    if (broker?.upMs !== undefined) this.#note(this.#killed, broker, () => broker.kill());
  }

  /** Waits until every process runs again: a healthy one in the place of each that was killed. */
  async everyoneIsBack(): Promise<void> {
    await this.broker?.isBack();
    await until("every process is healthy", async () =>
      (await this.#processes()).every(({ state, pid }) => state === "healthy" && pid !== null && !this.#dead.has(pid)),
    );
  }

  /** Who was killed and who was frozen, and how often. */
  summary(): { readonly killed: string; readonly frozen: string } {
    const list = (counts: ReadonlyMap<string, number>) =>
      [...counts].map(([name, count]) => `${name} ${count}`).join(", ") || "nobody";
    return { killed: list(this.#killed), frozen: list(this.#frozen) };
  }

  #note(counts: Map<string, number>, { name }: Victim, strike: () => void): void {
    try {
      strike();
      counts.set(name, (counts.get(name) ?? 0) + 1);
    } catch {
      // It has just died.
    }
  }

  /** Who has been up for long enough. */
  async #settled(): Promise<Victim[]> {
    const processes = (await this.#processes()).flatMap(({ service, state, uptime, pid }) =>
      state === "healthy" && pid !== null && uptime !== null && uptime * 1000 > SETTLED_MS
        ? [processVictim(service, pid, this.#dead)]
        : [],
    );
    return this.broker !== undefined && (this.broker.upMs ?? 0) > SETTLED_MS ? [...processes, this.broker] : processes;
  }

  async #processes(): Promise<SystemProcess[]> {
    return (await this.shop.processes()).filter(({ service }) => victims.has(service));
  }
}

function processVictim(name: string, pid: number, dead: Set<number>): Victim {
  const kill = () => {
    process.kill(pid, "SIGKILL");
    dead.add(pid);
  };
  // A database is several processes.
  if (name === "postgres") return { name, kill };
  return {
    name,
    kill,
    freeze(ms) {
      process.kill(pid, "SIGSTOP");
      setTimeout(() => {
        try {
          process.kill(pid, "SIGCONT");
        } catch {
          // It was killed meanwhile.
        }
      }, ms);
    },
  };
}
