import { connect } from "node:net";
import { Connection } from "../../runtime/rpc/http2/connection.js";
import type { HeaderBlock } from "../../runtime/rpc/http2/field.js";
import { ConstantBlock } from "../../runtime/rpc/http2/hpack-encoder.js";
import { defaultLimits } from "../../runtime/rpc/http2/limits.js";
import type { StreamConsumer } from "../../runtime/rpc/http2/stream.js";
import { framed, path, request } from "./order.js";

/** What is asked of a load generator: so many connections, so many calls in flight on each, for so long. */
export interface Load {
  readonly port: number;
  readonly connections: number;
  readonly streams: number;
  readonly milliseconds: number;
}

export interface Loaded {
  readonly calls: number;
  readonly errors: number;
  readonly seconds: number;
  readonly p50: number;
  readonly p99: number;
}

const head = new ConstantBlock([
  ":method",
  "POST",
  ":scheme",
  "http",
  ":path",
  path,
  ":authority",
  "127.0.0.1",
  "te",
  "trailers",
  "content-type",
  "application/grpc+proto",
]);
const body = framed(request);

/** Calls again as soon as it is answered. Messages are not decoded: the server is what is measured. */
class Caller implements StreamConsumer {
  private startedAt = 0;

  constructor(
    private readonly connection: Connection,
    private readonly run: Run,
  ) {}

  call(): void {
    const stream = this.connection.open();
    stream.consumer = this;
    this.startedAt = performance.now();
    stream.sendHeaders(head);
    stream.sendLastData(body);
    this.stream = stream;
  }

  private stream: ReturnType<Connection["open"]> | undefined;

  headers(block: HeaderBlock, endStream: boolean): void {
    if (this.stream !== undefined) this.stream.hasHeaders = true;
    if (!endStream) return;
    this.run.done(performance.now() - this.startedAt, block.get("grpc-status") === "0");
    // After this stream has made room.
    queueMicrotask(() => this.run.isOver || this.call());
  }

  data(_source: Buffer, start: number, end: number): void {
    this.stream?.consumed(end - start);
  }

  closed(): void {
    this.run.done(0, false);
  }

  drained(): void {}
}

class Run {
  calls = 0;
  errors = 0;
  isOver = false;
  times: number[] = [];

  done(milliseconds: number, isWell: boolean): void {
    if (!isWell) this.errors++;
    this.calls++;
    this.times.push(milliseconds);
  }
}

async function load({ port, connections, streams, milliseconds }: Load): Promise<Loaded> {
  const run = new Run();
  const opened = await Promise.all(
    Array.from({ length: connections }, () => {
      return new Promise<Connection>((resolve) => {
        const connection: Connection = new Connection(connect(port, "127.0.0.1"), "client", defaultLimits, {
          opened() {},
          available: () => connection.isReady && resolve(connection),
        });
      });
    }),
  );
  const started = performance.now();
  for (const connection of opened) for (let i = 0; i < streams; i++) new Caller(connection, run).call();
  await new Promise((resolve) => setTimeout(resolve, milliseconds));
  run.isOver = true;
  const seconds = (performance.now() - started) / 1000;
  const { calls, errors } = run;
  const times = Float64Array.from(run.times).sort();
  for (const connection of opened) connection.destroy();
  const at = (share: number) => times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? 0;
  return { calls, errors, seconds, p50: at(0.5), p99: at(0.99) };
}

process.on("message", async (asked: Load) => process.send?.(await load(asked)));
process.on("disconnect", () => process.exit(0));
