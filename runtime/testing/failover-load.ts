import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { Code, ConnectError } from "@connectrpc/connect";
import { freePort } from "../../generator/dev/ports.js";
import type { ParcelServiceClient } from "../../generator/testdata/parcels/expected/generated/contract_client.js";
import { createParcelServiceClient } from "../../generator/testdata/parcels/expected/generated/contract_client.js";
import { ParcelState } from "../../generator/testdata/parcels/expected/generated/contract_pb.js";
import { system } from "../../generator/testdata/parcels/expected/generated/system.js";
import { startReplicated } from "../../generator/testing/replicated.js";
import { execute } from "../../generator/testing/tables.js";
import { staleAgeHeader } from "../call/active-call.js";
import { readGatewayEnvironment } from "../gateway/environment.js";
import { startGateway } from "../gateway/start.js";
import { createLogger } from "../observe/log.js";
import { createParcels } from "./parcels.js";
import { builtProgram } from "./program.js";

export interface FailoverLoad {
  readonly clients: number;
  /** How many answers each client has before the primary is killed, while there is none, and after the promotion. */
  readonly answers: number;
  /** Whether the service is killed, too: during the outage, and while it makes what was deferred. */
  readonly killService: boolean;
}

/** What came of a load. */
export interface Tally {
  sent: number;
  fresh: number;
  stale: number;
  deferred: number;
  failed: number;
  /** Writes that were acknowledged, and are not there. */
  lost: number;
  /** Writes that happened more than once. */
  doubled: number;
  /** Reads that were older than what their caller had written, and did not say so. */
  unmarked: number;
  /** What `scaffold_database_up` said, without repetitions. */
  up: number[];
  failovers: number;
  mostQueued: number;
  /** Writes that were answered fresh after the promotion, by the process that was there before it. */
  resumed: number;
  /** What a REST caller sees meanwhile: the age of a cached parcel, and what becomes of a write that is not deferred. */
  rest: { readonly ageMs: number; readonly status: number; readonly details: unknown } | undefined;
}

interface Service {
  readonly process: ChildProcess;
  readonly url: string;
}

/**
 * A service with a primary and a synchronous replica, several clients that read and write, a primary that is killed, and
 * a replica that is promoted. Afterwards every write is looked for in the database.
 */
export async function failUnderLoad({ clients, answers, killService }: FailoverLoad): Promise<Tally> {
  const servers = await startReplicated({ synchronous: true });
  const journal = await mkdtemp(join(tmpdir(), "scaffold-load-"));
  const tally: Tally = {
    ...{ sent: 0, fresh: 0, stale: 0, deferred: 0, failed: 0, lost: 0, doubled: 0, unmarked: 0 },
    ...{ up: [], failovers: 0, mostQueued: 0, resumed: 0, rest: undefined },
  };
  const port = await freePort();
  const env = {
    ...process.env,
    PORT: String(port),
    DATABASE_URL: servers.primary.url(),
    DATABASE_REPLICA_URLS: servers.replica.url(),
    JOURNAL_DIR: journal,
    LOG_LEVEL: "warn",
  };
  let service: Service | undefined;
  let phase: "before" | "away" | "after" = "before";
  let ended = false;
  try {
    await createParcels(servers.primary.url());
    await servers.caughtUp();
    service = await start(env, port);
    const watching = watch(`${service.url}/metrics`, tally, () => ended);
    const { url } = service;
    const lanes = Array.from({ length: clients }, (_, index) => new Lane(`c${index}`, url, tally));
    const working = lanes.map((lane) =>
      lane.work(
        () => ended,
        () => phase,
      ),
    );
    await until(async () => tally.fresh >= clients * answers);
    await servers.kill();
    phase = "away";
    const some = async () => Math.min(tally.deferred, tally.stale) >= (clients * answers) / 2;
    await until(some);
    tally.rest = await overRest(
      url,
      lanes.flatMap((lane) => lane.ids),
    );
    if (killService) service = await killAndStart(service, env, port);
    await servers.promote();
    if (killService) {
      // Some of what was deferred is made by then, and not all of it.
      await until(async () => (await metric(url, "deferred_writes_applied_total")) > 0);
      service = await killAndStart(service, env, port);
    }
    await until(async () => tally.up.at(-1) === 1 && (await metric(url, "deferred_writes_queued")) === 0);
    phase = "after";
    await until(async () => tally.resumed >= clients * answers);
    ended = true;
    await Promise.all(working);
    await until(async () => (await metric(url, "deferred_writes_queued")) === 0);
    for (const lane of lanes) await lane.finish();
    await watching;
    tally.failovers = await metric(url, "database_failovers_total");
    const { rows } = await execute(servers.replica.url(), `SELECT "id", "moves", "place" FROM "parcels"`);
    for (const lane of lanes) lane.compare(new Map(rows.map((row) => [row.id, row])));
    return tally;
  } finally {
    ended = true;
    if (service !== undefined) await kill(service);
    await servers.remove();
    await rm(journal, { recursive: true, force: true });
  }
}

/** One client, and what it knows of its own parcels. */
class Lane {
  readonly #name: string;
  readonly #client: ParcelServiceClient;
  readonly #tally: Tally;
  /** By parcel: the keys of moves that were answered, and how many of them were made when they were. */
  readonly #parcels = new Map<string, { readonly moves: Set<string>; seen: number }>();
  /** Writes with a key whose answer did not come: sent again at the end. */
  readonly #open: (() => Promise<void>)[] = [];
  #written = 0;
  #requests = 0;

  constructor(name: string, baseUrl: string, tally: Tally) {
    this.#name = name;
    this.#client = createParcelServiceClient({ baseUrl });
    this.#tally = tally;
  }

  /** Its parcels. */
  get ids(): string[] {
    return [...this.#parcels.keys()];
  }

  async work(ended: () => boolean, phase: () => string): Promise<void> {
    await this.#create();
    await this.#count(() =>
      this.#client.createParcel({ parcel: { id: `${this.#name}-u` }, requestId: `${this.#name}-u` }),
    );
    for (let step = 0; !ended(); step++) {
      const ids = [...this.#parcels.keys()];
      const id = ids[(step * 7) % ids.length]!;
      const before = this.#tally.fresh;
      if (step % 10 === 0) await this.#create();
      else if (step % 3 === 0) await this.#move(id);
      else if (step % 10 === 7) await this.#update(step);
      else if (step % 10 === 4) await this.#count(() => this.#client.findParcel({ id }));
      else await this.#get(id);
      if (phase() === "after" && (step % 10 === 0 || step % 3 === 0)) this.#tally.resumed += this.#tally.fresh - before;
    }
  }

  /** Sends what was not answered again, as callers do, until it is. */
  async finish(): Promise<void> {
    for (const again of this.#open) await again();
  }

  compare(rows: ReadonlyMap<string, { readonly moves: number; readonly place: string }>): void {
    for (const [id, { moves }] of this.#parcels) {
      const row = rows.get(id);
      if (row === undefined) this.#tally.lost += 1 + moves.size;
      else if (row.moves < moves.size) this.#tally.lost += moves.size - row.moves;
      else this.#tally.doubled += row.moves - moves.size;
    }
    if (this.#written > Number(rows.get(`${this.#name}-u`)?.place || 0)) this.#tally.lost++;
  }

  async #create(): Promise<void> {
    const id = `${this.#name}-${this.#requests++}`;
    const known = { moves: new Set<string>(), seen: 0 };
    const create = () => this.#client.createParcel({ parcel: { id, place: "0" }, requestId: id });
    if (await this.#count(create)) this.#parcels.set(id, known);
    else {
      this.#open.push(async () => {
        await insist(create);
        this.#parcels.set(id, known);
      });
    }
  }

  async #move(id: string): Promise<void> {
    const requestId = `${this.#name}-${this.#requests++}`;
    const known = this.#parcels.get(id)!;
    const move = () => this.#client.moveParcel({ id, place: requestId, requestId });
    const answer = await this.#count(move);
    if (answer === undefined) {
      this.#open.push(async () => {
        await insist(move);
        known.moves.add(requestId);
      });
    } else {
      known.moves.add(requestId);
      if (answer.state === ParcelState.MOVED) known.seen = answer.moves;
    }
  }

  /** A write that is not deferred. One whose answer did not come may have happened; a later one is there all the same. */
  async #update(step: number): Promise<void> {
    const parcel = { id: `${this.#name}-u`, place: String(step) };
    const updateMask = { paths: ["place"] };
    if (await this.#count(() => this.#client.updateParcel({ parcel, updateMask }))) this.#written = step;
  }

  async #get(id: string): Promise<void> {
    const known = this.#parcels.get(id)!;
    const { seen } = known;
    let stale = false;
    const onHeader = (header: Headers) => {
      stale = header.get(staleAgeHeader) !== null;
    };
    const answer = await this.#count(
      () => this.#client.getParcel({ id }, { onHeader }),
      () => stale,
    );
    if (answer !== undefined && !stale && answer.moves < seen) this.#tally.unmarked++;
  }

  /** Sends a call, and counts what came of it. */
  async #count<T extends { readonly state: ParcelState }>(
    send: () => Promise<T>,
    isStale: () => boolean = () => false,
  ): Promise<T | undefined> {
    this.#tally.sent++;
    try {
      const answer = await send();
      if (answer.state === ParcelState.ACCEPTED) this.#tally.deferred++;
      else if (isStale()) this.#tally.stale++;
      else this.#tally.fresh++;
      return answer;
    } catch (error) {
      const { code } = ConnectError.from(error);
      // A parcel that is accepted only is not there yet.
      if (![Code.Unavailable, Code.DeadlineExceeded, Code.NotFound].includes(code)) throw error;
      this.#tally.failed++;
      // As RetryInfo says, only sooner.
      await sleep(20);
      return undefined;
    }
  }
}

/** Sends a call until it is answered. */
async function insist<T>(send: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await send();
    } catch (error) {
      if (ConnectError.from(error).code !== Code.Unavailable) throw error;
      await sleep(50);
    }
  }
}

/** Calls through a gateway of its own. */
async function overRest(parcels: string, ids: readonly string[]): Promise<Tally["rest"]> {
  const log = createLogger({ name: "gateway", level: "silent" });
  const env = { PORT: "0", DRAIN_TIMEOUT_MS: "0", PARCELS_URL: parcels };
  const gateway = await startGateway(system, readGatewayEnvironment(system, env), log);
  const folder = `http://127.0.0.1:${gateway.port}/v1/parcels`;
  try {
    // Not all were in the cache when the primary was killed.
    const reads = await Promise.all(ids.map((id) => fetch(`${folder}/${id}`)));
    const age = reads.flatMap(({ headers }) => headers.get(staleAgeHeader) ?? [])[0];
    const headers = { "content-type": "application/json" };
    const write = await fetch(`${folder}/${ids[0]}`, { method: "PATCH", headers, body: `{"place": "x"}` });
    const { details } = (await write.json()) as { details: unknown };
    return { ageMs: Number(age ?? Number.NaN), status: write.status, details };
  } finally {
    await gateway.stop();
  }
}

async function start(env: NodeJS.ProcessEnv, port: number): Promise<Service> {
  const program = await builtProgram(new URL("parcel-process.ts", import.meta.url));
  const child = fork(program, { execArgv: [], env, stdio: ["ignore", "pipe", "inherit", "ipc"] });
  const said: string[] = [];
  createInterface({ input: child.stdout! }).on("line", (line) => said.push(line));
  const url = `http://127.0.0.1:${port}`;
  await until(async () => {
    if (child.exitCode !== null) throw new Error(`the service ended with ${child.exitCode}:\n${said.join("\n")}`);
    return fetch(`${url}/metrics`).then(
      () => true,
      () => false,
    );
  });
  return { process: child, url };
}

async function killAndStart(service: Service, env: NodeJS.ProcessEnv, port: number): Promise<Service> {
  await kill(service);
  return start(env, port);
}

async function kill({ process: child }: Service): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, "exit");
  child.kill("SIGKILL");
  await gone;
}

/** Follows the metrics, as Prometheus would, only closer. */
async function watch(url: string, tally: Tally, ended: () => boolean): Promise<void> {
  while (!ended()) {
    const text = await fetch(url).then(
      (response) => response.text(),
      () => "",
    );
    const up = sample(text, "database_up");
    if (up !== undefined && tally.up.at(-1) !== up) tally.up.push(up);
    tally.mostQueued = Math.max(tally.mostQueued, sample(text, "deferred_writes_queued") ?? 0);
    await sleep(25);
  }
}

async function metric(url: string, name: string): Promise<number> {
  const text = await fetch(`${url}/metrics`).then(
    (response) => response.text(),
    () => "",
  );
  return sample(text, name) ?? Number.NaN;
}

function sample(text: string, name: string): number | undefined {
  const found = new RegExp(`^scaffold_${name}\\{.*\\} (\\S+)$`, "m").exec(text)?.[1];
  return found === undefined ? undefined : Number(found);
}

/** Waits as long as a test may take: a machine with other work needs minutes for what takes seconds on one without. */
async function until(holds: () => Promise<boolean>): Promise<void> {
  for (const end = performance.now() + 240_000; !(await holds()); await sleep(20)) {
    if (performance.now() > end) throw new Error(`waited in vain until ${holds}`);
  }
}
