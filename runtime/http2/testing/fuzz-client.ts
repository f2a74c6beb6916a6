import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { createClient } from "@connectrpc/connect";
import { UserService } from "@shop/generated/shop/users/v1/users_pb.js";
import { createNativeTransport } from "../../grpc/client-transport.js";
import { ErrorCode, errorName } from "../errors.js";
import { Flag, FrameType, preface } from "../frames.js";
import { defaultLimits } from "../limits.js";
import { runningTimers } from "../timers.js";
import type { Fuzzed } from "./fuzz-server.js";
import { frame, message, Peer, setting, uint32 } from "./peer.js";
import { dice } from "./random.js";

/**
 * Lets a native client call a server that responds with `count` valid and invalid frames in random order, over as many
 * connections as it takes. Throws if a call never ends, or a connection ends against RFC 9113.
 */
export async function fuzzClient(count: number, seed: number): Promise<Fuzzed> {
  const timersBefore = runningTimers();
  const ends: Record<string, number> = {};
  let frames = 0;
  let begun = 0;
  let open = 0;
  let fault: Error | undefined;

  /** The bytes that are sent depend on the seed and the number of the connection alone. */
  const answer = async (socket: Socket, number: number) => {
    const { random, upTo, oneOf, noise, mutated, cut } = dice(seed + number);
    open++;
    while (!socket.destroyed && socket.readableLength < preface.length) {
      await Promise.race([once(socket, "readable"), once(socket, "close")]).catch(() => undefined);
    }
    socket.read(preface.length);
    const peer = new Peer(socket);
    const chunks: Buffer[] = random() < 0.98 ? [frame(FrameType.SETTINGS, 0, 0, settings())] : [];
    peer.write(...chunks);
    await peer.next(({ type }) => type === FrameType.HEADERS);
    const length = 1 + upTo(60);
    const answers = Array.from({ length }, anyFrame).flat();
    frames += length;
    if (!peer.isClosed) peer.write(...cut(Buffer.concat(answers)));
    if (random() < 0.3) socket.destroy();
    const isAlive = !socket.destroyed && (await peer.roundTrip());
    if (isAlive) socket.destroy();
    await peer.closed;
    open--;
    const last = peer.frames.findLast(({ type }) => type === FrameType.GOAWAY);
    const code = last?.payload.readUInt32BE(4);
    if (code === ErrorCode.INTERNAL_ERROR || (code ?? 0) > ErrorCode.HTTP_1_1_REQUIRED) {
      fault ??= new Error(`seed ${seed}: ${errorName(code as number)}: ${last?.payload.subarray(8)}`);
    }
    const end = isAlive ? "alive" : code === undefined ? "gone" : errorName(code);
    ends[end] = (ends[end] ?? 0) + 1;

    function anyFrame(): Buffer[] {
      const id = 1 + 2 * upTo(8);
      // Most frames are valid: a connection that ends at its first frame tests nothing else.
      const choice = random() < 0.05 ? random() : 0.9 * random();
      if (choice < 0.3) {
        const status = oneOf(["200", "200", "200", "200", "100", "404", "x"]);
        const more = oneOf([[], [], ["grpc-encoding", "gzip"], ["grpc-encoding", "none"], ["content-length", "3"]]);
        const flags = Flag.END_HEADERS | (random() < 0.1 ? Flag.END_STREAM : 0);
        return [headers(id, [":status", status, "content-type", "application/grpc", ...more], flags)];
      }
      if (choice < 0.5) {
        const body = message(Buffer.from([0x0a, 2, 0x61, 0x62].slice(0, oneOf([0, 4, 4, 3]))), oneOf([0, 0, 0, 1, 2]));
        return [frame(FrameType.DATA, random() < 0.1 ? Flag.END_STREAM : 0, id, random() < 0.1 ? mutated(body) : body)];
      }
      if (choice < 0.65) {
        const status = ["grpc-status", oneOf(["0", "0", "5", "99", "x"]), "grpc-message", oneOf(["a", "%", "%e4%"])];
        return [headers(id, status, Flag.END_HEADERS | (random() < 0.95 ? Flag.END_STREAM : 0))];
      }
      if (choice < 0.7) return [frame(FrameType.RST_STREAM, 0, id, uint32(upTo(14)))];
      if (choice < 0.78) return [frame(FrameType.WINDOW_UPDATE, 0, oneOf([0, id]), uint32(1 + upTo(100_000)))];
      if (choice < 0.82) return [frame(FrameType.PING, upTo(2), 0, Buffer.alloc(8, upTo(6)))];
      if (choice < 0.85) return [frame(FrameType.SETTINGS, 0, 0, settings())];
      if (choice < 0.86) return [frame(FrameType.GOAWAY, 0, 0, Buffer.concat([uint32(upTo(20)), uint32(upTo(3))]))];
      if (choice < 0.9) {
        const block = peer.block([":status", "200", "content-type", "application/grpc", "a", "b".repeat(upTo(300))]);
        const at = upTo(block.length);
        return [
          frame(FrameType.HEADERS, 0, id, block.subarray(0, at)),
          frame(FrameType.CONTINUATION, Flag.END_HEADERS, id, block.subarray(at)),
        ];
      }
      // Almost anything, PUSH_PROMISE too.
      const wild = frame(upTo(11), upTo(256), oneOf([0, id, 101, 2 * upTo(100)]), noise(upTo(60)));
      return [random() < 0.7 ? wild : mutated(wild)];
    }

    function headers(id: number, fields: readonly string[], flags: number): Buffer {
      return frame(FrameType.HEADERS, flags, id, peer.block(fields));
    }

    function settings(): Buffer {
      const values = [setting(1, upTo(5_000)), setting(3, upTo(20)), setting(4, upTo(70_000)), setting(99, 1)];
      return Buffer.concat(values.filter(() => random() < 0.3));
    }
  };

  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    answer(socket, begun++).catch((error) => {
      fault ??= error;
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;

  /** Eight calls of all kinds at once. They end whatever the server sends. */
  const attempt = async () => {
    const limits = { ...defaultLimits, frameTimeoutMs: 200 };
    const transport = createNativeTransport(`http://127.0.0.1:${port}`, { limits, readMaxBytes: 10_000 });
    const users = createClient(UserService, transport);
    const options = { timeoutMs: 300 };
    const read = async (answers: AsyncIterable<unknown>) => {
      for await (const _ of answers);
    };
    await Promise.allSettled([
      users.getUser({ id: "a" }, options),
      users.getUser({ id: "b" }, { signal: AbortSignal.timeout(20) }),
      users.getUser({ id: "x".repeat(100_000) }, options),
      read(users.listUsers({}, options)),
      read(users.listUsers({}, { signal: AbortSignal.timeout(20) })),
      users.createUsers(each({ user: { email: "a" } }, { user: { email: "b" } }), options),
      read(users.chat(each({ text: "a" }, { text: "b" }), options)),
      users.getUser({ id: "c" }, options),
    ]);
    transport.close();
  };
  while (frames < count && fault === undefined) await Promise.all(Array.from({ length: 16 }, attempt));
  if (fault !== undefined) throw fault;
  // Connections that were ended linger for up to a second.
  while (open > 0 || runningTimers() > timersBefore) await new Promise((resolve) => setTimeout(resolve, 10));
  server.close();
  return { frames, connections: begun, ends, left: [open, 0, runningTimers() - timersBefore] };
}

async function* each<T>(...items: T[]) {
  yield* items;
}
