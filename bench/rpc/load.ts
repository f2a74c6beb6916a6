import { connect } from "node:net";
import { connect as connectTls } from "node:tls";
import { Connection } from "../../runtime/rpc/http2/connection.js";
import type { HeaderBlock } from "../../runtime/rpc/http2/field.js";
import { ConstantBlock } from "../../runtime/rpc/http2/hpack-encoder.js";
import { defaultLimits } from "../../runtime/rpc/http2/limits.js";
import type { StreamConsumer } from "../../runtime/rpc/http2/stream.js";
import { clients } from "./clients.js";
import { framed, path, requestOf, streamPath } from "./order.js";

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
  readonly calls: number;
  readonly errors: number;
  readonly seconds: number;
  readonly p50: number;
  readonly p99: number;
  /** Processor time of the load itself for one call, in microseconds. */
  readonly cpu: number;
}

function headOf(isStream: boolean): ConstantBlock {
  const target = [":path", isStream ? streamPath : path, ":authority", "127.0.0.1"];
  const rest = ["te", "trailers", "content-type", "application/grpc+proto"];
  return new ConstantBlock([":method", "POST", ":scheme", "http", ...target, ...rest]);
}

/** Calls, and again as soon as it is answered, if it is to. Messages are not decoded: the server is what is measured. */
class Caller implements StreamConsumer {
  private startedAt = 0;
  private stream: ReturnType<Connection["open"]> | undefined;

  constructor(private readonly run: Run) {}

  call(connection: Connection, dueAt = performance.now()): void {
    const stream = connection.open();
    stream.consumer = this;
    this.startedAt = dueAt;
    stream.sendHeaders(this.run.head);
    stream.sendLastData(this.run.body);
    this.stream = stream;
  }

  headers(block: HeaderBlock, endStream: boolean): void {
    const { stream } = this;
    if (stream === undefined) return;
    stream.hasHeaders = true;
    if (!endStream) return;
    this.run.done(performance.now() - this.startedAt, block.get("grpc-status") === "0");
    if (this.run.isPaced) {
      this.run.idle.push(this);
      return;
    }
    // After this stream has made room.
    queueMicrotask(() => this.run.isOver || this.call(stream.connection));
  }

  data(_source: Buffer, start: number, end: number): void {
    this.stream?.consumed(end - start);
  }

  closed(): void {
    this.run.done(0, false);
  }

  drained(): void {}
}

/** What is measured. It keeps its memory, so that its own garbage does not hold up the calls that it times. */
class Run {
  calls = 0;
  errors = 0;
  isOver = false;
  times = new Float64Array(2 ** 20);
  /** Callers that have been answered, for whoever calls next. */
  readonly idle: Caller[] = [];

  constructor(
    readonly head: ConstantBlock,
    readonly body: Uint8Array,
    readonly isPaced: boolean,
  ) {}

  done(milliseconds: number, isWell: boolean): void {
    if (this.isOver) return;
    if (!isWell) this.errors++;
    if (this.calls === this.times.length) {
      const more = new Float64Array(2 * this.calls);
      more.set(this.times);
      this.times = more;
    }
    this.times[this.calls++] = milliseconds;
  }
}

async function load(asked: Load): Promise<Loaded> {
  const { port, connections, streams, milliseconds, id = "order-1", isStream = false, isTls = false, rate } = asked;
  const run = new Run(headOf(isStream), framed(requestOf(id)), rate !== undefined);
  const opened = asked.client === undefined ? await open(port, connections, isTls) : [];
  const call = clients[asked.client ?? ""]?.(port);
  const cpu = process.cpuUsage();
  const started = performance.now();
  if (call !== undefined) for (let i = 0; i < streams; i++) void repeat(call, id, run);
  else if (rate !== undefined) pace(opened, run, rate);
  else for (const connection of opened) for (let i = 0; i < streams; i++) new Caller(run).call(connection);
  await new Promise((resolve) => setTimeout(resolve, milliseconds));
  run.isOver = true;
  const seconds = (performance.now() - started) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  const { calls, errors } = run;
  const times = run.times.subarray(0, calls).sort();
  for (const connection of opened) connection.destroy();
  const at = (share: number) => times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? 0;
  return { calls, errors, seconds, p50: at(0.5), p99: at(0.99), cpu: (user + system) / Math.max(1, calls) };
}

function open(port: number, count: number, isTls: boolean): Promise<Connection[]> {
  const dial = () =>
    isTls
      ? connectTls({ port, host: "127.0.0.1", ALPNProtocols: ["h2"], rejectUnauthorized: false })
      : connect(port, "127.0.0.1");
  return Promise.all(
    Array.from({ length: count }, () => {
      return new Promise<Connection>((resolve) => {
        const connection: Connection = new Connection(dial(), "client", defaultLimits, {
          opened() {},
          available: () => connection.isReady && resolve(connection),
        });
      });
    }),
  );
}

async function repeat(call: (id: string) => Promise<object>, id: string, run: Run): Promise<void> {
  while (!run.isOver) {
    const startedAt = performance.now();
    const isWell = await call(id).then(
      () => true,
      () => false,
    );
    run.done(performance.now() - startedAt, isWell);
  }
}

/** Starts calls when they are due, or as soon after as there is room for them: a server that falls behind is not spared. */
function pace(connections: readonly Connection[], run: Run, rate: number): void {
  const started = performance.now();
  let sent = 0;
  const turn = () => {
    if (run.isOver) return;
    const due = ((performance.now() - started) / 1000) * rate;
    for (; sent < due; sent++) {
      const connection = connections[sent % connections.length] as Connection;
      if (!connection.canOpen) break;
      const caller = run.idle.pop() ?? new Caller(run);
      caller.call(connection, started + (sent / rate) * 1000);
    }
    setImmediate(turn);
  };
  turn();
}

process.on("message", async (asked: Load) => process.send?.(await load(asked)));
process.on("disconnect", () => process.exit(0));
