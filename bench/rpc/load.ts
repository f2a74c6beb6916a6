import { connect } from "node:net";
import { connect as connectTls } from "node:tls";
import { ConstantBlock } from "../../runtime/http2/hpack-encoder.js";
import { clients } from "./clients.js";
import { framed, path, requestOf, streamPath } from "./order.js";
import { Times } from "./times.js";
import { type Calls, Wire } from "./wire.js";

/** What is asked of a load generator: so many connections, so many calls in flight on each, for so long. */
export interface Load {
  readonly port: number;
  readonly connections: number;
  readonly streams: number;
  readonly milliseconds: number;
  /** The order that is asked for. Default: a small one. */
  readonly id?: string;
  /** Whether streams of orders are asked for. */
  readonly isStream?: boolean;
  readonly isTls?: boolean;
  /** Calls a second, sent when they are due, however many are in flight; their times count from then. Default: as many as can be. */
  readonly rate?: number;
  /** Calls by this client instead, on one connection, as many in flight as `streams` says. */
  readonly client?: string;
}

export interface Loaded {
  /** Whether enough was answered to speak of a rate: 20 times what was in flight. */
  readonly isMeasured: boolean;
  readonly calls: number;
  readonly errors: number;
  /** Until the last call was answered. */
  readonly seconds: number;
  readonly p50: number;
  readonly p99: number;
  /** How long after it was due the latest call was sent, in milliseconds: the load's own share in the times. */
  readonly behind: number;
  /** Processor time of the load itself for one call, in microseconds. */
  readonly cpu: number;
}

/** How long calls in flight are waited for at the end, in milliseconds. */
const PATIENCE = 5_000;
/** How often what is in flight must have been answered: the first calls of a burst say how it begins, not how it goes on. */
const TURNS = 20;
/** The longest that a subject is waited for, in milliseconds. */
const LONGEST = 60_000;

class Run implements Calls {
  calls = 0;
  errors = 0;
  behind = 0;
  /** No call follows another any more. */
  isEnding = false;
  isOver = false;
  lastAt = 0;
  readonly times = new Times();

  constructor(
    readonly head: ConstantBlock,
    readonly body: Uint8Array,
    /** Whether one call follows another. */
    readonly isClosedLoop: boolean,
  ) {}

  answered(wire: Wire, dueAt: number, now: number, isWell: boolean): void {
    if (this.isOver) return;
    this.done(dueAt, now, isWell);
    if (this.isClosedLoop && !this.isEnding && !wire.isClosed) wire.call(now);
  }

  done(dueAt: number, now: number, isWell: boolean): void {
    this.calls++;
    this.lastAt = now;
    if (!isWell) this.errors++;
    this.times.add(now - dueAt);
  }
}

async function load(asked: Load): Promise<Loaded> {
  const { port, connections, streams, milliseconds, id = "order-1", isStream = false, isTls = false, rate } = asked;
  const run = new Run(headOf(isStream), framed(requestOf(id)), rate === undefined);
  const wires = asked.client === undefined ? await open(port, connections, isTls, run) : [];
  const call = clients[asked.client ?? ""]?.(port);
  const cpu = process.cpuUsage();
  const started = performance.now();
  const least = rate === undefined ? TURNS * streams * Math.max(1, wires.length) : 1;
  if (rate !== undefined) await pace(wires, run, rate, milliseconds);
  else {
    const callers = call === undefined ? [] : Array.from({ length: streams }, () => repeat(call, id, run));
    for (const wire of wires) {
      for (let i = 0; i < streams && wire.canCall; i++) wire.call(performance.now());
      wire.flush();
    }
    await sleep(milliseconds);
    while (run.calls < least && performance.now() < started + LONGEST) await sleep(20);
    run.isEnding = true;
    await Promise.race([sleep(PATIENCE), Promise.all([...callers, idle(wires)])]);
  }
  run.isOver = true;
  const seconds = (Math.max(run.lastAt, started + 1) - started) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  for (const wire of wires) wire.destroy();
  const { calls, errors, behind, times } = run;
  return {
    isMeasured: calls >= least,
    calls,
    errors,
    seconds,
    p50: times.at(0.5),
    p99: times.at(0.99),
    behind,
    cpu: (user + system) / Math.max(1, calls),
  };
}

function headOf(isStream: boolean): ConstantBlock {
  const target = [":path", isStream ? streamPath : path, ":authority", "127.0.0.1"];
  const rest = ["te", "trailers", "content-type", "application/grpc+proto"];
  return new ConstantBlock([":method", "POST", ":scheme", "http", ...target, ...rest]);
}

function open(port: number, count: number, isTls: boolean, calls: Calls): Promise<Wire[]> {
  const dial = () =>
    isTls
      ? connectTls({ port, host: "127.0.0.1", ALPNProtocols: ["h2"], rejectUnauthorized: false })
      : connect(port, "127.0.0.1");
  const one = () =>
    new Promise<Wire>((resolve) => {
      const wire: Wire = new Wire(dial(), calls, () => resolve(wire));
    });
  return Promise.all(Array.from({ length: count }, one));
}

async function repeat(call: (id: string) => Promise<object>, id: string, run: Run): Promise<void> {
  while (!run.isEnding) {
    const startedAt = performance.now();
    const isWell = await call(id).then(
      () => true,
      () => false,
    );
    if (!run.isOver) run.done(startedAt, performance.now(), isWell);
  }
}

/**
 * Sends calls when they are due, to each connection in its turn, and waits for their answers. A call that comes late, or
 * for which no connection has room, counts from when it was due: a server that falls behind is not spared, nor is the load.
 */
async function pace(wires: readonly Wire[], run: Run, rate: number, milliseconds: number): Promise<void> {
  const started = performance.now();
  const dueAt = (call: number) => started + (call / rate) * 1000;
  let sent = 0;
  let turn = 0;
  for (let now = started; now < started + milliseconds; now = performance.now()) {
    for (let full = 0; dueAt(sent) <= now && full < wires.length; turn++) {
      const wire = wires[turn % wires.length]!;
      if (!wire.canCall) {
        full++;
        continue;
      }
      full = 0;
      run.behind = Math.max(run.behind, now - dueAt(sent));
      wire.call(dueAt(sent++));
    }
    for (const wire of wires) wire.flush();
    await new Promise(setImmediate);
  }
  await Promise.race([sleep(PATIENCE), idle(wires)]);
}

/** Waits until no call is in flight. */
async function idle(wires: readonly Wire[]): Promise<void> {
  while (wires.some(({ open, isClosed }) => open > 0 && !isClosed)) await sleep(1);
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

process.on("message", async (asked: Load) => process.send?.(await load(asked)));
process.on("disconnect", () => process.exit(0));
