import { activeCall } from "../../call/active-call.js";
import { backoffMs } from "../../call/backoff.js";
import type { Logger } from "../../observe/log.js";
import type { Backoff } from "../../spec/retry.js";
import { Condition } from "./condition.js";
import { unavailable } from "./errors.js";
import type { PostgresMetrics } from "./metrics.js";
import { PostgresNode, type Role } from "./node.js";

export interface ClusterOptions {
  /** `postgres://user:password@host:port/database` of each node. The primary among them is detected. */
  readonly urls: readonly string[];
  /** The service's name, for the names of connections. */
  readonly service: string;
  readonly maxConnections: number;
  /** Whether to check a single node periodically, too. Several nodes are always checked. */
  readonly watch: boolean;
  readonly metrics: PostgresMetrics;
  readonly log?: Logger;
}

/** The nodes that responded at the last check. */
export interface Availability {
  readonly primary: boolean;
  /** Whether replicas can be read. */
  readonly replicas: boolean;
}

/** How long after the loss of a primary callers wait for a new one. */
const GRACE_MS = 2000;
/** How long callers wait for the first primary. */
const FIRST_MS = 5000;
/** The interval and the time limit of checks for callers that come after that. */
const LAST_LOOKS = 2;
const LAST_LOOKS_MS = 1000;
const WATCH_MS = 1000;
const SEARCH: Backoff = { initialBackoffMs: 50, maxBackoffMs: 500, backoffMultiplier: 2 };
/** A node is given up after this many checks in a row without a response, because this process may be the slow one. */
const SILENCES = 2;

/**
 * The nodes of one database: a primary and its replicas. Roles are detected by asking every node, again whenever they may have changed,
 * so that a promotion is followed without a restart.
 *
 * A node in recovery is never the primary. If several nodes claim to be the primary, the one with the highest timeline is. A node with a
 * lower timeline than has been seen before is not: it is a replaced primary that came back.
 */
export class PostgresCluster {
  readonly #nodes: readonly PostgresNode[];
  readonly #options: ClusterOptions;
  readonly #told: (() => void)[] = [];
  readonly #toldOfAvailability: ((available: Availability) => void)[] = [];
  readonly #condition = new Condition();
  #primary: PostgresNode | undefined;
  /** The primary, or the last one while there is none. */
  #last: PostgresNode | undefined;
  /** PostgreSQL's system identifier. A node with another one belongs to another cluster. */
  #system: string | undefined;
  #timeline = 0;
  readonly #foreign = new Set<string>();
  #doubted = false;
  /** The time since which the primary is in doubt or lost. The first check may take longer, because no connection exists yet. */
  #since = performance.now() + FIRST_MS - GRACE_MS;
  #failures = 0;
  #looking: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #next = 0;
  /** Whether the loss of the primary has been logged. */
  #said = false;
  #closed = false;

  constructor(options: ClusterOptions) {
    this.#options = options;
    this.#nodes = options.urls.map((url) => new PostgresNode(url, options, (server) => this.doubt(server)));
    options.metrics.up.set(1);
    // A single node is assumed to be the primary until it fails.
    if (options.urls.length === 1) this.#primary = this.#last = this.#nodes[0];
    if (this.#isWatched) this.#look();
  }

  /** Calls a listener whenever the primary changes. */
  onPrimary(tell: () => void): void {
    this.#told.push(tell);
  }

  /** Calls a listener at once, and after each conclusive check, with whether there is a primary. */
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
   * Returns the primary. Waits while it is being detected: until 2 s after its loss, later for another check or two, and never beyond the
   * active call's deadline.
   *
   * @throws ConnectError UNAVAILABLE if there is no primary
   */
  async primary(): Promise<PostgresNode> {
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

  /** Returns the replicas that responded at the last check, in round-robin order. */
  replicas(): PostgresNode[] {
    const usable = this.#nodes.filter(({ role }) => {
      // While there is a primary, a replica without replication from it falls further and further behind.
      return role?.kind === "replica" && role.system === this.#system && (role.follows || this.#primary === undefined);
    });
    const from = this.#next++ % Math.max(1, usable.length);
    return [...usable.slice(from), ...usable.slice(0, from)];
  }

  /** Describes the state of each node for logs and errors. */
  describe(): string {
    const words = this.#nodes.map(({ address, role, fault }) => {
      const foreign = role !== undefined && this.#system !== undefined && role.system !== this.#system;
      return `${address}: ${foreign ? "another database" : (fault ?? role?.kind ?? "unknown")}`;
    });
    return words.join("; ");
  }

  /** Reports that a node did not respond, or has another role than assumed. */
  doubt(server: PostgresNode): void {
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
    await Promise.all(this.#nodes.map((server) => server.close()));
  }

  get #isWatched(): boolean {
    return this.#options.watch || this.#nodes.length > 1;
  }

  /** Checks all nodes now, and repeatedly while there is reason to. */
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
    const system = this.#system ?? systemOf(this.#nodes);
    // A single address may lead to another database later: that is the operator's decision.
    const alone = this.#nodes.length === 1;
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

  /** Logs once that an address leads to another database, which is never queried. */
  #tellForeign(): void {
    for (const { address, role } of this.#nodes) {
      if (role === undefined || this.#system === undefined || role.system === this.#system) continue;
      if (this.#foreign.has(address)) continue;
      this.#foreign.add(address);
      const { log } = this.#options;
      log?.error({ server: address }, "not a server of this database: check DATABASE_URL and DATABASE_REPLICA_URLS");
    }
  }

  /** Returns every node's role, as soon as it is certain that nothing has changed or that there is a new primary. */
  #ask(): Promise<{ readonly server: PostgresNode; readonly role: Role | undefined }[]> {
    return new Promise((resolve) => {
      const known: { server: PostgresNode; role: Role | undefined }[] = [];
      for (const server of this.#nodes) {
        void server.look().then((role) => {
          known.push({ server, role });
          const decides =
            role?.kind === "primary" &&
            role.system === this.#system &&
            (role.timeline > this.#timeline || (role.timeline === this.#timeline && server === this.#last));
          // While all is well, wait for every response: a newer primary may be among them.
          const inHaste = this.#primary === undefined || this.#doubted;
          if (known.length === this.#nodes.length || (decides && inHaste)) resolve(known);
        });
      }
    });
  }

  /** Returns whether the primary has merely not responded, and not for long. */
  #mayBeSlow(roles: readonly { readonly server: PostgresNode; readonly role: Role | undefined }[]): boolean {
    const own = roles.find(({ server }) => server === this.#primary);
    return own !== undefined && own.role === undefined && own.server.silences > 0 && own.server.silences < SILENCES;
  }

  #found(server: PostgresNode, role: Role & { kind: "primary" }, begun: number): void {
    const { metrics, log } = this.#options;
    const before = this.#last;
    const wasAway = this.#primary === undefined;
    // This check does not resolve a doubt that arose while it was running.
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
    // Break its connections: statements that wait for it would run into their timeouts.
    primary.abandon();
  }
}

/** Returns the system identifier of DATABASE_URL's node; if it does not respond, the one on which the other nodes agree. */
function systemOf([first, ...others]: readonly PostgresNode[]): string | undefined {
  const systems = new Set(others.flatMap(({ role }) => role?.system ?? []));
  return first?.role?.system ?? (systems.size === 1 ? [...systems][0] : undefined);
}
