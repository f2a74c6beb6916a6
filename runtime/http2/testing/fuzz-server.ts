import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { UserService } from "@shop/generated/shop/users/v1/users_pb.js";
import { createServerAdapter } from "../../server/adapter.js";
import type { GrpcServer } from "../../server/native-http2.js";
import { ErrorCode, errorName } from "../errors.js";
import { Flag, FrameType, preface } from "../frames.js";
import { defaultLimits } from "../limits.js";
import { runningTimers } from "../timers.js";
import { frame, message, Peer, setting, uint32 } from "./peer.js";
import { dice } from "./random.js";

/** The result of a run, in numbers. */
export interface Fuzzed {
  readonly frames: number;
  readonly connections: number;
  /** The number of connections that ended with each code; "alive" for those that were still served. */
  readonly ends: Readonly<Record<string, number>>;
  /** The connections, handlers and timers that were left after every peer had gone. */
  readonly left: readonly [connections: number, handlers: number, timers: number];
}

const paths = ["GetUser", "ListUsers", "CreateUsers", "Chat", "None"].map(
  (name) => `/shop.users.v1.UserService/${name}`,
);

/**
 * Sends `count` valid and invalid frames in random order to a native server, over as many connections as it takes, and
 * pings on each connection in the end. Throws if one ends against RFC 9113.
 */
export async function fuzzServer(count: number, seed: number): Promise<Fuzzed> {
  let handlers = 0;
  const timersBefore = runningTimers();
  const { http2 } = createServerAdapter({
    transport: "native",
    limits: { ...defaultLimits, maxConcurrentStreams: 20, frameTimeoutMs: 50 },
    routes: (router) =>
      router.service(UserService, {
        async getUser({ id }, { signal }) {
          if (id.length % 2 === 0) return { id };
          handlers++;
          await new Promise((resolve) => signal.addEventListener("abort", resolve));
          handlers--;
          return {};
        },
        async *listUsers() {
          for (let i = 0; i < 100; i++) yield { id: "x".repeat(1_000) };
        },
        async createUsers(requests) {
          for await (const _ of requests);
          return {};
        },
        async *chat(requests) {
          for await (const { text } of requests) yield { text };
        },
      }),
  });
  const sockets = createServer((socket) => http2.take(socket)).listen(0, "127.0.0.1");
  await once(sockets, "listening");
  const { port } = sockets.address() as AddressInfo;
  const ends: Record<string, number> = {};
  let frames = 0;
  let connections = 0;
  let begun = 0;

  /** The bytes that are sent depend on the seed and the number of the connection alone. */
  const attempt = async (number: number) => {
    const { random, upTo, oneOf, noise, mutated, cut } = dice(seed + number);
    const peer = await Peer.silent(port);
    const chunks: Buffer[] = [random() < 0.99 ? preface : mutated(preface)];
    if (random() < 0.98) chunks.push(frame(FrameType.SETTINGS, 0, 0, settings()));
    let stream = 1;
    const length = 1 + upTo(120);
    for (let i = 0; i < length; i++) chunks.push(...anyFrame());
    frames += length;
    peer.write(...cut(Buffer.concat(chunks)));
    if (random() < 0.1) peer.socket.destroy();
    const isAlive = !peer.socket.destroyed && (await peer.roundTrip());
    if (isAlive) peer.socket.destroy();
    await peer.closed;
    const last = peer.frames.findLast(({ type }) => type === FrameType.GOAWAY);
    const code = last === undefined ? undefined : last.payload.readUInt32BE(4);
    if (code === ErrorCode.INTERNAL_ERROR || (code ?? 0) > ErrorCode.HTTP_1_1_REQUIRED) {
      throw new Error(
        `seed ${seed}: a connection ended with ${errorName(code as number)}: ${last?.payload.subarray(8)}`,
      );
    }
    const end = isAlive ? "alive" : code === undefined ? "gone" : errorName(code);
    ends[end] = (ends[end] ?? 0) + 1;
    connections++;

    function anyFrame(): Buffer[] {
      // Most frames are valid: a connection that ends at its first frame tests nothing else.
      const choice = stream === 1 ? 0 : random() < 0.1 ? random() : 0.92 * random();
      const open = 1 + 2 * upTo((stream - 1) / 2);
      if (choice < 0.3) {
        const id = stream;
        stream += 2;
        const flags = Flag.END_HEADERS | (random() < 0.2 ? Flag.END_STREAM : 0);
        const more = random() < 0.3 ? ["grpc-timeout", `${upTo(1_000)}m`] : [];
        if (random() < 0.2) more.push("grpc-encoding", "gzip");
        return [peer.call(id, oneOf(paths), more, flags)];
      }
      if (choice < 0.6) {
        const body = message(Buffer.from([0x0a, 2, 0x61, 0x62].slice(0, oneOf([0, 4, 3]))), oneOf([0, 0, 0, 1]));
        return [
          frame(FrameType.DATA, random() < 0.5 ? Flag.END_STREAM : 0, open, random() < 0.1 ? mutated(body) : body),
        ];
      }
      if (choice < 0.7) return [frame(FrameType.RST_STREAM, 0, open, uint32(upTo(14)))];
      if (choice < 0.8)
        return [frame(FrameType.WINDOW_UPDATE, 0, random() < 0.3 ? 0 : open, uint32(1 + upTo(100_000)))];
      if (choice < 0.85) return [frame(FrameType.PING, upTo(2), 0, Buffer.alloc(8, upTo(6)))];
      if (choice < 0.88) return [frame(FrameType.SETTINGS, 0, 0, settings())];
      if (choice < 0.9) return [frame(FrameType.PRIORITY, 0, open, Buffer.alloc(5, 0x7f))];
      if (choice < 0.92) {
        const block = peer.block([
          ":method",
          "POST",
          ":scheme",
          "http",
          ":path",
          oneOf(paths),
          "a",
          "b".repeat(upTo(300)),
        ]);
        const at = upTo(block.length);
        const id = stream;
        stream += 2;
        return [
          frame(FrameType.HEADERS, 0, id, block.subarray(0, at)),
          frame(FrameType.CONTINUATION, Flag.END_HEADERS, id, block.subarray(at)),
        ];
      }
      // Almost anything.
      const wild = frame(upTo(11), upTo(256), oneOf([0, open, stream, 2 * upTo(100)]), noise(upTo(60)));
      return [random() < 0.7 ? wild : mutated(wild)];
    }

    function settings(): Buffer {
      const values = [
        setting(1, upTo(5_000)),
        setting(4, upTo(70_000)),
        setting(5, 16_384 + upTo(1_000)),
        setting(99, 1),
      ];
      return Buffer.concat(values.filter(() => random() < 0.3));
    }
  };

  while (frames < count) await Promise.all(Array.from({ length: 16 }, () => attempt(begun++)));
  // Connections that were ended linger for up to a second.
  while ((http2 as GrpcServer).connections > 0 || handlers > 0 || runningTimers() > timersBefore) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  sockets.close();
  return {
    frames,
    connections,
    ends,
    left: [(http2 as GrpcServer).connections, handlers, runningTimers() - timersBefore],
  };
}
