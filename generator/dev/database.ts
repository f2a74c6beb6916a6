import { rm } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import type { RunFolder } from "./folder.js";
import { type Postgres, startPostgres } from "./postgres.js";
import type { ProcessEvent } from "./process.js";
import type { ProcessRecord, ProcessState } from "./state.js";

/** The system's PostgreSQL. It is restarted when it ends, on the same port, because the services have its address. */
export class Database {
  #server: Postgres | undefined;
  #state: ProcessState = "starting";
  #since: number | undefined;
  #stopping = false;
  #restarting: Promise<void> = Promise.resolve();

  constructor(
    private readonly folder: RunFolder,
    /** Called whenever `record` changes. Resolves once the change is stored. */
    private readonly changed: () => Promise<void>,
    private readonly report: (event: ProcessEvent) => void,
  ) {}

  get record(): ProcessRecord | undefined {
    if (this.#server === undefined) return undefined;
    const { pid, started, port } = this.#server;
    const process = this.#state === "healthy" || this.#state === "stopping" ? { pid, started } : undefined;
    return { name: "postgres", process, port, state: this.#state, since: this.#since };
  }

  /** Returns the URL of a database, with the role that owns it. */
  url(database: string): string {
    return this.#server!.ownerUrl(database);
  }

  /** Starts it on a port, with a database for each name. */
  async start(port: number, databases: readonly string[]): Promise<void> {
    await rm(this.folder.log("postgres"), { force: true });
    await this.#run(port);
    for (const name of databases) await this.create(name);
  }

  /** Creates a database unless it exists. */
  async create(name: string): Promise<void> {
    await this.#server!.createOwned(name);
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#restarting;
    if (this.#server === undefined || this.#state === "stopped") return;
    this.#set("stopping");
    await this.#server.stop();
    this.#set("stopped");
  }

  async #run(port: number): Promise<void> {
    const server = await startPostgres({ directory: this.folder.postgres, port, log: this.folder.log("postgres") });
    this.#server = server;
    this.#since = Date.now();
    this.#set("healthy");
    void server.ended.then((how) => {
      if (!this.#stopping) this.#restarting = this.#restart(how, server.port);
    });
  }

  async #restart(how: string, port: number): Promise<void> {
    const died = performance.now();
    this.#set("restarting");
    for (let nextMs = 500; !this.#stopping; nextMs = Math.min(2 * nextMs, 10_000)) {
      try {
        await this.#run(port);
        return await this.#report({ kind: "restarted", how, ms: Math.round(performance.now() - died) });
      } catch (error) {
        await this.#report({ kind: "failing", how: (error as Error).message, nextMs });
        await sleep(nextMs);
      }
    }
  }

  /** Prints an event once the state is stored, so that `ps` agrees with it. */
  async #report(event: ProcessEvent): Promise<void> {
    await this.changed();
    this.report(event);
  }

  #set(state: ProcessState): void {
    this.#state = state;
    void this.changed();
  }
}
