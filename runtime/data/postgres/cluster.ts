import { activeCall } from "../../call/active-call.js";
import { backoffMs } from "../../call/backoff.js";
import type { Logger } from "../../observe/log.js";
import type { Backoff } from "../../spec/retry.js";
import { Condition } from "./condition.js";
import { unavailable } from "./errors.js";
import type { PostgresMetrics } from "./metrics.js";
import { type Role, Server } from "./node.js";

export interface ServersOptions {
  /** `postgres://user:password@host:port/database`, of each server. Which of them is the primary is found out. */
  readonly urls: readonly string[];
  /** Whose connections these are. */
  readonly service: string;
  readonly maxConnections: number;
  /** Whether to look at a single server too while nothing is wrong. Several are always watched. */
  readonly watch: boolean;
  readonly metrics: PostgresMetrics;
  readonly log?: Logger;
}

/** Which servers of a database answered when they were last looked at. */
export interface Availability {
  readonly primary: boolean;
  /** Whether replicas can be read. */
  readonly replicas: boolean;
}

/** How long after the loss of a primary those who need one wait for the next. */
const GRACE_MS = 2000;
/** How long they wait for the first one. */
const FIRST_MS = 5000;
/** How often, and how long at most, it is looked for on behalf of those who come after that. */
const LAST_LOOKS = 2;
const LAST_LOOKS_MS = 1000;
const WATCH_MS = 1000;
const SEARCH: Backoff = { initialBackoffMs: 50, maxBackoffMs: 500, backoffMultiplier: 2 };
/** So many looks in a row must a server be silent for before it is given up: it may be us who are slow. */
const SILENCES = 2;

/**
 * The servers of one database: one primary, and replicas of it. Who is who is asked of each of them, again whenever there
 * is reason to doubt it, so that a promotion is followed without a restart.
 *
 * A server that is in recovery is never the primary. Of several that claim to be, the one with the highest timeline is,
 * and one with a lower timeline than has ever been seen is none: a primary that was replaced, and came back.
 */
export class Servers {
  readonly #servers: readonly Server[];
  readonly #options: ServersOptions;
  readonly #told: (() => void)[] = [];
  readonly #toldOfAvailability: ((available: Availability) => void)[] = [];
  readonly #condition = new Condition();
  #primary: Server | undefined;
  /** The primary before, while there is none; or the one that there is. */
  #last: Server | undefined;
  /** The database's own name for itself: what has another is not one of its servers. */
  #system: string | undefined;
  #timeline = 0;
  readonly #foreign = new Set<string>();
  #doubted = false;
  /** Since when there is doubt, or no primary. The first look may take longer: nobody is connected yet. */
  #since = performance.now() + FIRST_MS - GRACE_MS;
  #failures = 0;
  #looking: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #next = 0;
  /** Whether the log knows that there is no primary. */
  #said = false;
  #closed = false;

  constructor(options: ServersOptions) {
    this.#options = options;
    this.#servers = options.urls.map((url) => new Server(url, options, (server) => this.doubt(server)));
    options.metrics.up.set(1);
    // A single one is taken for what it is until it fails.
    if (options.urls.length === 1) this.#primary = this.#last = this.#servers[0];
    if (this.#isWatched) this.#look();
  }

  /** Is told whenever another server is the primary. */
  onPrimary(tell: () => void): void {
    this.#told.push(tell);
  }

  /** Is told, at once and after each look that finds one or none, whether there is a primary. */
  onAvailability(tell: (available: Availability) => void): void {
    this.#toldOfAvailability.push(tell);
    tell(this.#availability());
  }

  #availability(): Availability {
    return { primary: this.#primary !== undefined, replicas: this.replicas().length > 0 };
  }

  #tellAvailability(): void {
    const available = this.#availability();
    for (const tell of this.#toldOfAvailability) tell(available);
  }

  /**
   * The primary. Waits while it is being looked for: until 2 s after it was lost, and then for another look or two; no longer
   * than the call that this runs for can spare.
   *
   * @throws ConnectError UNAVAILABLE if there is none
   */
  async primary(): Promise<Server> {
    const last = performance.now() + LAST_LOOKS_MS;
    for (let looks = 0; ; ) {
      if (this.#primary !== undefined && !this.#doubted) return this.#primary;
      const now = performance.now();
      const over = this.#since + GRACE_MS <= now;
      const until = over ? last : this.#since + GRACE_MS;
      const left = Math.min(until, activeCall()?.patientUntil ?? until) - now;
      if (this.#closed || left <= 0 || looks === LAST_LOOKS) {
        throw unavailable("the database does not answer, or takes no writes");
      }
      if (over) {
        looks++;
        this.#look();
      }
      await this.#condition.change(left);
    }
  }

  /** The replicas that answered when they were last looked at, another first each time. */
  replicas(): Server[] {
    const usable = this.#servers.filter(({ role }) => {
      // While there is a primary, a replica that does not follow it would fall further and further behind.
      return role?.kind === "replica" && role.system === this.#system && (role.follows || this.#primary === undefined);
    });
    const from = this.#next++ % Math.max(1, usable.length);
    return [...usable.slice(from), ...usable.slice(0, from)];
  }

  /** What each server says of itself, or why it says nothing: for a person. */
  describe(): string {
    const words = this.#servers.map(({ address, role, fault }) => {
      const foreign = role !== undefined && this.#system !== undefined && role.system !== this.#system;
      return `${address}: ${foreign ? "another database" : (fault ?? role?.kind ?? "unknown")}`;
    });
    return words.join("; ");
  }

  /** Says that a server did not answer, or is not what it was taken for. */
  doubt(server: Server): void {
    if (server !== this.#primary) {
      server.role = undefined;
      return;
    }
    if (this.#closed) return;
    if (!this.#doubted) this.#since = performance.now();
    this.#doubted = true;
    this.#look();
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#looking;
    this.#condition.tell();
    await Promise.all(this.#servers.map((server) => server.close()));
  }

  get #isWatched(): boolean {
    return this.#options.watch || this.#servers.length > 1;
  }

  /** Looks at all servers, now; and again, as long as there is reason to. */
  #look(): void {
    if (this.#looking !== undefined || this.#closed) return;
    clearTimeout(this.#timer);
    this.#looking = this.#round().finally(() => {
      this.#looking = undefined;
      this.#condition.tell();
      if (this.#closed) return;
      if (this.#primary !== undefined && !this.#doubted && !this.#isWatched) return;
      const away = this.#primary === undefined || this.#doubted;
      this.#timer = setTimeout(() => this.#look(), away ? backoffMs(++this.#failures, SEARCH) : WATCH_MS).unref();
    });
  }

  async #round(): Promise<void> {
    const begun = this.#since;
    const roles = await this.#ask();
    const system = this.#system ?? systemOf(this.#servers);
    // Behind a single address may be another database tomorrow: that is for whoever runs it to say.
    const alone = this.#servers.length === 1;
    const claims = roles.flatMap(({ server, role }) => {
      if (role?.kind !== "primary") return [];
      const holds = alone || (role.timeline >= this.#timeline && role.system === system);
      return holds ? [{ server, role }] : [];
    });
    const highest = Math.max(...claims.map(({ role }) => role.timeline));
    const best = claims.filter(({ role }) => role.timeline === highest);
    const found = best.find(({ server }) => server === this.#last) ?? best[0];
    this.#tellForeign();
    if (found !== undefined) this.#found(found.server, found.role, begun);
    else if (!this.#mayBeSlow(roles)) this.#lost();
  }

  /** Says it once if an address leads to another database: nothing is ever asked there. */
  #tellForeign(): void {
    for (const { address, role } of this.#servers) {
      if (role === undefined || this.#system === undefined || role.system === this.#system) continue;
      if (this.#foreign.has(address)) continue;
      this.#foreign.add(address);
      const { log } = this.#options;
      log?.error({ server: address }, "not a server of this database: check DATABASE_URL and DATABASE_REPLICA_URLS");
    }
  }

  /** Every server's role; no longer than it takes to know that nothing has changed, or that there is a new primary. */
  #ask(): Promise<{ readonly server: Server; readonly role: Role | undefined }[]> {
    return new Promise((resolve) => {
      const known: { server: Server; role: Role | undefined }[] = [];
      for (const server of this.#servers) {
        void server.look().then((role) => {
          known.push({ server, role });
          const decides =
            role?.kind === "primary" &&
            role.system === this.#system &&
            (role.timeline > this.#timeline || (role.timeline === this.#timeline && server === this.#last));
          // While all is well, everybody is heard: a newer primary may be among them.
          const inHaste = this.#primary === undefined || this.#doubted;
          if (known.length === this.#servers.length || (decides && inHaste)) resolve(known);
        });
      }
    });
  }

  /** Whether the primary has only been silent, and not for long. */
  #mayBeSlow(roles: readonly { readonly server: Server; readonly role: Role | undefined }[]): boolean {
    const own = roles.find(({ server }) => server === this.#primary);
    return own !== undefined && own.role === undefined && own.server.silences > 0 && own.server.silences < SILENCES;
  }

  #found(server: Server, role: Role & { kind: "primary" }, begun: number): void {
    const { metrics, log } = this.#options;
    const before = this.#last;
    const wasAway = this.#primary === undefined;
    // Doubt that came while this look was under way is not answered by it.
    if (this.#since === begun || server !== this.#primary) this.#doubted = false;
    this.#primary = this.#last = server;
    this.#system = role.system;
    this.#timeline = role.timeline;
    this.#failures = 0;
    this.#said = false;
    metrics.up.set(1);
    this.#tellAvailability();
    if (before !== undefined && before !== server) {
      metrics.failovers.add();
      before.abandon();
      log?.warn({ from: before.address, to: server.address, timeline: role.timeline }, "another server is the primary");
    } else if (wasAway && before !== undefined) {
      log?.info({ server: server.address }, "the database is back");
    }
    if (before !== server) for (const tell of this.#told) tell();
  }

  #lost(): void {
    const { metrics, log } = this.#options;
    const primary = this.#primary;
    metrics.up.set(0);
    if (!this.#said) log?.error({ servers: this.describe() }, "no database server takes writes");
    this.#said = true;
    this.#primary = undefined;
    this.#tellAvailability();
    if (primary === undefined) return;
    if (!this.#doubted) this.#since = performance.now();
    this.#doubted = false;
    // What waits for it would wait until its time is over.
    primary.abandon();
  }
}

/** What DATABASE_URL's server says that the database is; if it is silent, what the others agree on. */
function systemOf([first, ...others]: readonly Server[]): string | undefined {
  const systems = new Set(others.flatMap(({ role }) => role?.system ?? []));
  return first?.role?.system ?? (systems.size === 1 ? [...systems][0] : undefined);
}
