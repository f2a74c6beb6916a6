import { access, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { Database } from "./database.js";
import { drainTimeout, processEnvironment } from "./environment.js";
import { makeRunFolder, type RunFolder, runFolder } from "./folder.js";
import { Guard } from "./guarding.js";
import { awaitGuard, endLeftovers } from "./leftovers.js";
import { LoadBalancer } from "./load-balancer.js";
import { takeLock } from "./lock.js";
import { LogRotation } from "./log-rotation.js";
import { type ServicePlan, stopOrder } from "./order.js";
import { identify, type ProcessIdentity } from "./pid.js";
import { choosePorts, portTaken, publicPort } from "./ports.js";
import { removePostgres } from "./postgres.js";
import { type ProcessPlan, SupervisedProcess } from "./process.js";
import { fillSampleData } from "./sample.js";
import { type ProcessRecord, type RunState, StateFile } from "./state.js";
import type { Terminal } from "./terminal.js";

/** A system to run on this machine. */
export interface SystemPlan {
  /** The project's root. */
  readonly root: string;
  /** The folder of the built programs: `<service>/main.js`, `gateway/main.js`, and `sample.js` if there is sample data. */
  readonly programs: string;
  /** Builds the programs. Returns the services. */
  prepare(): Promise<readonly ServicePlan[]>;
  /**
   * Watches for changes, and calls `reload` with the services and the rebuilt programs after each, but not before the system is
   * `up`: until then another build runs. Returns a function that stops it. Default: changes are not watched.
   */
  readonly watch?: (reload: Supervisor["reload"], up: Promise<void>) => Promise<{ close(): void }>;
  /** The load balancer's port, the value of `PORT`. */
  readonly port?: string;
  /** Whether to remove the data first. */
  readonly reset: boolean;
}

const gateways = ["gateway-1", "gateway-2"];
/** The database of the embedded broker, unless BROKER_URL names another broker. */
const BROKER = "broker";
/** The time in milliseconds by which a signal may follow a failure that it caused. */
const SIGNAL_MS = 100;

/** Runs a system: PostgreSQL, services and gateways, each in its own process, and the load balancer. */
export class Supervisor {
  readonly #folder: RunFolder;
  readonly #file: StateFile;
  readonly #guard: Guard;
  readonly #database: Database;
  readonly #drainMs = drainTimeout();
  readonly #stopping = new AbortController();
  #me: ProcessIdentity | undefined;
  #since = Date.now();
  #services: readonly ServicePlan[] = [];
  #ports = new Map<string, number>();
  readonly #processes = new Map<string, SupervisedProcess>();
  readonly #rotation: LogRotation;
  #balancer: LoadBalancer | undefined;
  #port = 0;
  #ready = false;
  #starting: Promise<void> = Promise.resolve();
  #stopped: Promise<void> | undefined;

  constructor(
    private readonly plan: SystemPlan,
    private readonly terminal: Terminal,
  ) {
    this.#folder = runFolder(plan.root);
    this.#file = new StateFile(this.#folder.state);
    const changed = () => this.#write();
    this.#guard = new Guard(plan.root, changed);
    this.#database = new Database(this.#folder, changed, (event) => this.terminal.event("postgres", event));
    this.#rotation = new LogRotation(
      () => ["postgres", ...this.#processes.keys()].map((name) => this.#folder.log(name)),
      (message) => this.terminal.warn(message),
    );
  }

  /** Resolves once everything serves. Rejects, with nothing left running, if that fails or it is stopped before. */
  async start(): Promise<void> {
    this.#starting = this.#start();
    try {
      await this.#starting;
    } catch (error) {
      // At Ctrl-C a process of the build may end, and its failure arrive, before the signal does.
      await sleep(SIGNAL_MS, undefined, { signal: this.#stopping.signal }).catch(() => undefined);
      const asked = this.#stopping.signal.aborted;
      await this.stop();
      throw asked ? new Stopped() : error;
    }
  }

  /**
   * Applies a new build: restarts the services and gateways whose programs or environments changed, and those that had not come
   * up; starts new ones; ends removed ones. Others keep running. Resolves once all of them are up that can be.
   */
  async reload(services: readonly ServicePlan[], programs: ReadonlySet<string>): Promise<void> {
    if (!this.#ready || this.#stopping.signal.aborted) return;
    const before = this.#starting.catch(() => undefined);
    this.#starting = before.then(() => this.#reload(services, programs));
    await this.#starting;
  }

  /** Stops everything in order: callers before callees, and PostgreSQL last. */
  stop(): Promise<void> {
    this.#stopping.abort();
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  /** Hurries a stop: nothing drains any longer. Committed data stays. */
  kill(): void {
    for (const process of this.#processes.values()) process.kill();
    this.#balancer?.destroy();
  }

  async #start(): Promise<void> {
    const { root, reset } = this.plan;
    await makeRunFolder(this.#folder);
    const holder = await takeLock(this.#folder.lock);
    if (holder !== undefined) {
      throw new Error(
        `the system already runs in ${root} (pid ${holder.pid}). Stop that one first: kill ${holder.pid}`,
      );
    }
    this.#me = await identify(process.pid);
    await this.#cleanUp();
    this.#port = await publicPort(this.plan.port);
    if (reset) await removePostgres(this.#folder.postgres);
    this.#write();
    await this.#guard.start();
    this.#rotation.start();

    this.#services = await this.terminal.step("build", () => this.plan.prepare());
    this.#check();
    const databases = databasesOf(this.#services);
    const names = this.#services.map(({ name }) => name);
    this.#ports = await choosePorts(this.#port, [...gateways, ...names, "postgres"]);
    await this.terminal.step("postgres", () => this.#database.start(this.#ports.get("postgres")!, databases));
    this.#check();
    await this.#startProcesses();
    await this.#balance();
    await this.#fillSampleData();
    this.#ready = true;
    await this.#write();
    this.#announce();
  }

  async #cleanUp(): Promise<void> {
    await awaitGuard(this.#folder);
    const count = await endLeftovers(this.#folder);
    if (count > 0)
      this.terminal.note(`cleaned up after an earlier run: ${count} ${count === 1 ? "process" : "processes"} ended`);
  }

  async #startProcesses(): Promise<void> {
    const processes = this.#plans().map((plan) => this.#add(plan));
    await assertPrograms(processes);
    // A gateway starts without its services, so all start at once; the balancer accepts no connections before all are up.
    await this.terminal.step("processes", () => startAll(processes));
    this.#check();
  }

  /** Returns the processes to run: services, then gateways. */
  #plans(): ProcessPlan[] {
    const plan = (
      name: string,
      program: string,
      peers: readonly string[],
      data?: Parameters<typeof processEnvironment>[3],
    ) => {
      const port = this.#ports.get(name)!;
      return {
        name,
        program: join(this.plan.programs, program, "main.js"),
        port,
        environment: processEnvironment(port, peers, this.#ports, data),
        log: this.#folder.log(name),
        drainMs: this.#drainMs,
      };
    };
    const names = this.#services.map(({ name }) => name);
    return [
      ...this.#services.map(({ name, calls, database, events }) => {
        const broker = events ? this.#database.url(BROKER) : undefined;
        const data = { database: this.#database.url(name), journal: this.#folder.journal(name), broker };
        return plan(name, name, calls, database ? data : undefined);
      }),
      ...gateways.map((name) => plan(name, "gateway", names)),
    ];
  }

  #add(plan: ProcessPlan): SupervisedProcess {
    const process = new SupervisedProcess(
      plan,
      () => this.#write(),
      (event) => this.terminal.event(plan.name, event),
    );
    this.#processes.set(plan.name, process);
    return process;
  }

  async #reload(services: readonly ServicePlan[], programs: ReadonlySet<string>): Promise<void> {
    for (const { name } of services) {
      if (!this.#ports.has(name)) {
        const [port] = (await choosePorts(Math.max(...this.#ports.values()), [name])).values();
        this.#ports.set(name, port!);
      }
    }
    for (const database of databasesOf(services)) await this.#database.create(database);
    this.#services = services;
    const plans = this.#plans();
    const wanted = new Set(plans.map(({ name }) => name));
    const gone = [...this.#processes.values()].filter(({ plan }) => !wanted.has(plan.name));
    const stale = plans.filter((plan) => {
      const process = this.#processes.get(plan.name);
      if (process === undefined || process.record.state === "stopped") return true;
      return programs.has(basename(dirname(plan.program))) || !isDeepStrictEqual(process.plan, plan);
    });
    const isDoor = ({ name }: ProcessPlan) => gateways.includes(name);
    await Promise.all(stale.filter((plan) => !isDoor(plan)).map((plan) => this.#replace(plan)));
    // One after the other, so that one gateway always serves.
    for (const plan of stale.filter(isDoor)) await this.#replace(plan);
    for (const process of gone) {
      await process.stop();
      this.#processes.delete(process.plan.name);
      // `ps` must agree with this output.
      await this.#write();
      this.terminal.note(`${process.plan.name} ended: the contract has it no more`);
    }
    await this.#write();
  }

  /** Ends a process, if it runs, and starts its replacement. One that does not start waits for the next change. */
  async #replace(plan: ProcessPlan): Promise<void> {
    const began = performance.now();
    const before = this.#processes.get(plan.name);
    await before?.stop();
    if (this.#stopping.signal.aborted) return;
    try {
      await this.#add(plan).start();
      this.terminal.replaced(
        plan.name,
        before === undefined ? `started at http://127.0.0.1:${plan.port}` : "restarted",
        Math.round(performance.now() - began),
      );
    } catch (error) {
      if (!this.#stopping.signal.aborted) this.terminal.warn((error as Error).message);
    }
  }

  async #balance(): Promise<void> {
    this.#balancer = new LoadBalancer(
      gateways.map((name) => ({
        port: this.#ports.get(name)!,
        healthy: () => this.#processes.get(name)!.healthy,
      })),
      { report: (message) => this.terminal.warn(`balancer: ${message}`) },
    );
    await this.#balancer.listen(this.#port).catch((error: NodeJS.ErrnoException) => {
      throw error.code === "EADDRINUSE" ? portTaken(this.#port) : error;
    });
  }

  async #fillSampleData(): Promise<void> {
    const program = join(this.plan.programs, "sample.js");
    try {
      if (await fillSampleData(program, this.#url, this.#folder, this.#stopping.signal))
        this.terminal.note("sample data");
    } catch (error) {
      this.#check();
      // A system without sample data is still useful.
      this.terminal.warn((error as Error).message);
    }
  }

  async #stop(): Promise<void> {
    const started = this.#starting.catch(() => undefined);
    // Stopping the processes ends the waits for their health.
    const early = [...this.#processes.values()].filter((process) => process.record.state === "starting");
    await Promise.all(early.map((process) => process.stop()));
    await started;
    // Without the lock the files belong to another supervisor.
    if (this.#me === undefined) return;
    this.#balancer?.close();
    for (const group of [gateways, ...stopOrder(this.#services)]) {
      await Promise.all(group.map((name) => this.#processes.get(name)?.stop()));
    }
    this.#balancer?.destroy();
    await this.#database.stop();
    await this.#rotation.stop();
    await this.#file.remove();
    await this.#guard.release();
    await rm(this.#folder.lock, { force: true });
  }

  get #url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  #check(): void {
    if (this.#stopping.signal.aborted) throw new Stopped();
  }

  /** Stores the running processes, for the guard, for `ps`, and for the next start. */
  #write(): Promise<void> {
    const balancer: ProcessRecord = {
      name: "balancer",
      process: this.#me,
      port: this.#port,
      state: this.#stopping.signal.aborted ? "stopping" : this.#ready ? "healthy" : "starting",
      since: this.#since,
    };
    const state: RunState = {
      supervisor: this.#me!,
      guard: this.#guard.identity,
      url: this.#ready ? this.#url : undefined,
      balancer,
      processes: [...this.#processes.values()].map((process) => process.record),
      postgres: this.#database.record,
      drainMs: this.#drainMs,
    };
    this.#guard.tell(state);
    return this.#file.write(state);
  }

  #announce(): void {
    const row = { name: "balancer", address: this.#url, pid: process.pid };
    const rows = [...this.#processes.values()].map(({ record, plan }) => ({
      name: record.name,
      address: `http://127.0.0.1:${record.port}`,
      pid: record.process?.pid,
      log: plan.log,
    }));
    const { process: server, port } = this.#database.record!;
    const log = this.#folder.log("postgres");
    this.terminal.table([row, ...rows, { name: "postgres", address: `127.0.0.1:${port}`, pid: server?.pid, log }]);
    this.terminal.databases(databasesOf(this.#services).map((name) => ({ name, url: this.#database.url(name) })));
    this.terminal.ready(this.#url);
  }
}

/** Thrown if the system is stopped before it is up. */
export class Stopped extends Error {
  constructor() {
    super("stopped before it was up");
  }
}

/** Returns the databases of services: one each, and a shared one if there are events. */
function databasesOf(services: readonly ServicePlan[]): string[] {
  const own = services.filter(({ database }) => database).map(({ name }) => name);
  return services.some(({ events }) => events) ? [...own, BROKER] : own;
}

/** Starts all at once. Rejects with the first failure; the caller stops the others. */
async function startAll(processes: readonly SupervisedProcess[]): Promise<void> {
  await Promise.all(processes.map((process) => process.start()));
}

async function assertPrograms(processes: readonly SupervisedProcess[]): Promise<void> {
  const missing: string[] = [];
  for (const { plan } of processes) await access(plan.program).catch(() => missing.push(plan.program));
  if (missing.length === 0) return;
  throw new Error(
    `there is no program for all of the system:\n  ${missing.join("\n  ")}\nEach service needs its main.ts. Where one was ` +
      "removed, npx scaffold generate --force <its path> writes it again",
  );
}
