import { type AddressInfo, createServer, type Server } from "node:net";
import { toBinary } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { GetUserRequestSchema, UserService } from "@shop/generated/shop/users/v1/users_pb.js";
import { afterEach, describe, expect, test } from "vitest";
import { Flag, FrameType, preface, Setting } from "../http2/frames.js";
import { defaultLimits, type Limits } from "../http2/limits.js";
import { frame, message, Peer, setting, uint32 } from "../http2/testing/peer.js";
import { createServerAdapter } from "../server/adapter.js";
import type { GrpcServer } from "../server/native-http2.js";

const getUser = "/shop.users.v1.UserService/GetUser";
const listUsers = "/shop.users.v1.UserService/ListUsers";
const createUsers = "/shop.users.v1.UserService/CreateUsers";
/** One who asks for a user says his id, as does the answer. */
const userOf = (id: string) => toBinary(GetUserRequestSchema, { $typeName: "shop.users.v1.GetUserRequest", id });
const request = message(userOf("a"));
const longOf = (id: string) => id.repeat(1_000);

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

interface Target {
  readonly port: number;
  readonly server: GrpcServer;
  /** How many handlers have begun, and how many of them run. */
  readonly begun: () => number;
  readonly running: () => number;
}

/** A native server without HTTP/1.1. Its handlers wait until their caller cancels. */
async function start(limits: Partial<Limits> = {}): Promise<Target> {
  let begun = 0;
  let running = 0;
  const { http2 } = createServerAdapter({
    transport: "native",
    limits: { ...defaultLimits, ...limits },
    routes: (router) =>
      router.service(UserService, {
        async getUser({ id }, { signal }) {
          if (id.startsWith("long")) {
            begun++;
            await null;
            return { id: longOf(id) };
          }
          if (id !== "wait") return { id };
          begun++;
          running++;
          await new Promise((resolve) => signal.addEventListener("abort", resolve));
          running--;
          return {};
        },
        async *listUsers() {
          begun++;
          running++;
          try {
            for (let i = 0; i < 10_000; i++) yield { id: "x".repeat(1_000) };
          } finally {
            running--;
          }
        },
        async createUsers(requests) {
          let count = 0;
          for await (const _ of requests) count++;
          return { users: [{ id: String(count) }] };
        },
      }),
  });
  const sockets: Server = createServer((socket) => http2.take(socket)).listen(0, "127.0.0.1");
  await new Promise((resolve) => sockets.once("listening", resolve));
  cleanups.push(() => {
    http2.cut();
    sockets.close();
  });
  const { port } = sockets.address() as AddressInfo;
  return { port, server: http2 as GrpcServer, begun: () => begun, running: () => running };
}

async function attack(target: Target, settings?: Buffer): Promise<Peer> {
  const peer = await Peer.connect(target.port, settings);
  cleanups.push(() => peer.socket.destroy());
  await peer.roundTrip();
  return peer;
}

/** Another client is served as if nothing had happened. */
async function serves({ port }: Target): Promise<boolean> {
  const sessionManager = new Http2SessionManager(`http://127.0.0.1:${port}`);
  const client = createClient(
    UserService,
    createGrpcTransport({ baseUrl: `http://127.0.0.1:${port}`, sessionManager }),
  );
  const { id } = await client.getUser({ id: "other" });
  sessionManager.abort();
  return id === "other";
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}

/** Sends the same again and again until the connection is closed, no faster than the other side reads. */
async function flood(peer: Peer, make: (turn: number) => Buffer): Promise<void> {
  for (let turn = 0; !peer.isClosed && peer.socket.writable; turn++) {
    if (turn > 2_000_000) throw new Error("the flood was never stopped");
    if (turn % 200 === 0) await new Promise((resolve) => setImmediate(resolve));
    if (peer.socket.writable) peer.write(make(turn));
  }
}

const wait = message(toBinary(GetUserRequestSchema, { $typeName: "shop.users.v1.GetUserRequest", id: "wait" }));
const ping = Buffer.alloc(8);

describe("a flood ends with ENHANCE_YOUR_CALM, and others are served meanwhile:", () => {
  test.each<[string, (peer: Peer, turn: number) => Buffer]>([
    ["PING", () => frame(FrameType.PING, 0, 0, ping)],
    ["SETTINGS", () => frame(FrameType.SETTINGS, 0, 0, setting(Setting.INITIAL_WINDOW_SIZE, 65_535))],
    [
      "SETTINGS that hold many",
      () => frame(FrameType.SETTINGS, 0, 0, Buffer.concat(Array(2_730).fill(setting(Setting.MAX_FRAME_SIZE, 16_384)))),
    ],
    [
      "an answer taken byte by byte (CVE-2019-9511)",
      (peer, turn) =>
        turn === 0
          ? Buffer.concat([
              frame(FrameType.SETTINGS, 0, 0, setting(Setting.INITIAL_WINDOW_SIZE, 0)),
              peer.call(1, listUsers),
              frame(FrameType.DATA, Flag.END_STREAM, 1, message()),
            ])
          : frame(FrameType.WINDOW_UPDATE, 0, 1, uint32(1)),
    ],
    ["empty DATA", (peer, turn) => (turn === 0 ? peer.call(1, createUsers) : frame(FrameType.DATA, 0, 1))],
    [
      "padding alone",
      (peer, turn) =>
        turn === 0 ? peer.call(1, createUsers) : frame(FrameType.DATA, Flag.PADDED, 1, Buffer.from([3, 0, 0, 0])),
    ],
    ["WINDOW_UPDATE", () => frame(FrameType.WINDOW_UPDATE, 0, 0, uint32(1))],
    ["PRIORITY", (_peer, turn) => frame(FrameType.PRIORITY, 0, 2 * turn + 1, Buffer.alloc(5))],
    ["frames of no known type", () => frame(0x42, 0, 0, ping)],
    [
      "rapid reset (CVE-2023-44487)",
      (peer, turn) =>
        Buffer.concat([
          peer.call(2 * turn + 1, getUser),
          frame(FrameType.DATA, Flag.END_STREAM, 2 * turn + 1, wait),
          frame(FrameType.RST_STREAM, 0, 2 * turn + 1, uint32(8)),
        ]),
    ],
    [
      "streams made to be reset by the server",
      (peer, turn) =>
        Buffer.concat([peer.call(2 * turn + 1, getUser), frame(FrameType.WINDOW_UPDATE, 0, 2 * turn + 1, uint32(0))]),
    ],
    [
      "requests that are malformed",
      (peer, turn) =>
        frame(FrameType.HEADERS, Flag.END_HEADERS | Flag.END_STREAM, 2 * turn + 1, peer.block([":method", "GET"])),
    ],
    [
      "lists of thousands of header fields",
      (_peer, turn) => {
        const fields = Buffer.concat(Array(3_000).fill(Buffer.from([0x40, 1, 0x61, 1, 0x62])));
        return frame(FrameType.HEADERS, Flag.END_HEADERS | Flag.END_STREAM, 2 * turn + 1, fields);
      },
    ],
    [
      "CONTINUATION without end (CVE-2024-27316)",
      (peer, turn) =>
        turn === 0
          ? peer.call(1, getUser, [], 0)
          : frame(
              FrameType.CONTINUATION,
              0,
              1,
              Buffer.concat([Buffer.from([0x00, 1, 0x61, 100]), Buffer.alloc(100, 0x62)]),
            ),
    ],
    [
      "empty CONTINUATION",
      (peer, turn) => (turn === 0 ? peer.call(1, getUser, [], 0) : frame(FrameType.CONTINUATION, 0, 1)),
    ],
  ])("%s", async (_name, make) => {
    const target = await start();
    const peer = await attack(target);
    const served = serves(target);
    await flood(peer, (turn) => make(peer, turn));
    expect(await peer.goAway()).toBe("ENHANCE_YOUR_CALM");
    expect(await served).toBe(true);
    expect(await serves(target)).toBe(true);
    expect(target.begun()).toBeLessThan(3_000);
    await until(() => target.running() === 0 && target.server.connections === 0);
  });
});

test("windows that change cost more, the more streams there are", async () => {
  const target = await start();
  const peer = await attack(target);
  for (let call = 0; call < 5_000; call++) {
    peer.write(peer.call(2 * call + 1, createUsers));
    if (call % 500 === 0) await peer.roundTrip();
  }
  for (let turn = 0; turn < 20; turn++) {
    peer.write(frame(FrameType.SETTINGS, 0, 0, setting(Setting.INITIAL_WINDOW_SIZE, 65_534 + (turn % 2))));
  }
  expect(await peer.goAway()).toBe("ENHANCE_YOUR_CALM");
});

test("of several windows in one SETTINGS frame the last one holds", async () => {
  const target = await start();
  const windows = [0, 70_000, 3].map((window) => setting(Setting.INITIAL_WINDOW_SIZE, window));
  const peer = await attack(target, Buffer.concat(windows));
  peer.write(peer.call(1, getUser), frame(FrameType.DATA, Flag.END_STREAM, 1, message(userOf("long a"))));
  const data = await peer.next(({ type, stream }) => type === FrameType.DATA && stream === 1);
  expect(data?.payload).toHaveLength(3);
  // One that was too large for a window in between is a mistake, though the last is not.
  peer.write(peer.call(3, createUsers), frame(FrameType.WINDOW_UPDATE, 0, 3, uint32(2 ** 31 - 10)));
  const more = [2 ** 31 - 1, 3].map((window) => setting(Setting.INITIAL_WINDOW_SIZE, window));
  peer.write(frame(FrameType.SETTINGS, 0, 0, Buffer.concat(more)));
  expect(await peer.goAway()).toBe("FLOW_CONTROL_ERROR");
});

test("answered calls pay for cancelled ones: half of many may be cancelled", async () => {
  const target = await start();
  const peer = await attack(target);
  for (let stream = 1; stream < 20_000; stream += 4) {
    peer.write(
      peer.call(stream, getUser),
      frame(FrameType.DATA, Flag.END_STREAM, stream, request),
      peer.call(stream + 2, getUser),
      frame(FrameType.DATA, Flag.END_STREAM, stream + 2, wait),
      frame(FrameType.RST_STREAM, 0, stream + 2, uint32(8)),
    );
    if (stream % 400 === 1) expect(await peer.roundTrip()).toBe(true);
  }
  expect(await peer.roundTrip()).toBe(true);
  expect(target.running()).toBe(0);
});

test("a handler that outlives its stream counts: no more run for one peer than may have streams", async () => {
  const target = await start({ maxConcurrentStreams: 10 });
  const peer = await attack(target);
  for (let stream = 1; stream <= 21; stream += 2) {
    peer.write(peer.call(stream, getUser), frame(FrameType.DATA, Flag.END_STREAM, stream, wait));
  }
  expect(await peer.end(21)).toBe("REFUSED_STREAM");
  expect(target.running()).toBe(10);
  expect(await serves(target)).toBe(true);
});

test("a header list that is too large is answered with 431, at the cost of its bytes only", async () => {
  const target = await start();
  const peer = await attack(target);
  // An HPACK bomb: one field of 3,000 bytes goes into the table, and is named by one byte each from then on.
  const entry = Buffer.concat([Buffer.from([0x40, 1, 0x61, 0x7f, 0xb9, 0x16]), Buffer.alloc(3_000, 0x62)]);
  const fields = [":method", "POST", ":scheme", "http", ":path", getUser];
  const bomb = Buffer.concat([peer.block(fields), entry, Buffer.alloc(10_000, 0xbe)]);
  peer.write(frame(FrameType.HEADERS, Flag.END_HEADERS | Flag.END_STREAM, 1, bomb));
  expect(await peer.end(1)).toBe("HTTP 431");
  // The connection can go on.
  const again = [":method", "POST", ":scheme", "http", ":path", "/nothing"];
  const block = frame(FrameType.HEADERS, Flag.END_HEADERS | Flag.END_STREAM, 3, new PeerBlock().of(again));
  peer.write(block);
  expect(await peer.end(3)).toBe("HTTP 404");
});

/** Returns fields encoded as literals, without HPACK's dynamic table, which the test has filled by other means. */
class PeerBlock {
  of(fields: readonly string[]): Buffer {
    return Buffer.concat(
      fields.map((text, index) =>
        Buffer.concat([Buffer.from(index % 2 === 0 ? [0x00, text.length] : [text.length]), Buffer.from(text)]),
      ),
    );
  }
}

describe("a peer that is slow is let go:", () => {
  const soon = { frameTimeoutMs: 30 };

  test.each<[string, Buffer]>([
    ["in the preface", preface.subarray(0, 10)],
    ["before its SETTINGS", preface],
    ["in a frame's header", Buffer.concat([preface, frame(FrameType.SETTINGS, 0, 0), Buffer.from([0, 0])])],
    [
      "in a frame",
      Buffer.concat([preface, frame(FrameType.SETTINGS, 0, 0), Buffer.from([0, 0, 8, 6, 0, 0, 0, 0, 0, 1])]),
    ],
    [
      "in a header block",
      Buffer.concat([preface, frame(FrameType.SETTINGS, 0, 0), frame(FrameType.HEADERS, 0, 1, Buffer.from([0x82]))]),
    ],
  ])("%s", async (_name, bytes) => {
    const target = await start(soon);
    const peer = await Peer.silent(target.port);
    cleanups.push(() => peer.socket.destroy());
    peer.write(bytes);
    expect(await peer.goAway()).toBe("ENHANCE_YOUR_CALM");
  });

  test("one that sends a byte at a time is served as long as its frames arrive in time", async () => {
    const target = await start();
    const peer = await Peer.silent(target.port);
    cleanups.push(() => peer.socket.destroy());
    const bytes = [preface, frame(FrameType.SETTINGS, 0, 0), peer.call(1, getUser)];
    for (const byte of Buffer.concat([...bytes, frame(FrameType.DATA, Flag.END_STREAM, 1, request)])) {
      peer.write(Buffer.from([byte]));
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(await peer.end(1)).toBe("grpc-status 0");
  });

  test("one that is silent is asked, and closed if it does not answer", async () => {
    const target = await start({ pingIntervalMs: 20, pingTimeoutMs: 20 });
    const peer = await attack(target);
    await peer.closed;
    expect(peer.frames.filter(({ type, flags }) => type === FrameType.PING && flags === 0)).toHaveLength(1);
    await until(() => target.server.connections === 0);
  });
});

describe("a peer that takes no answers", () => {
  test("for want of a window holds no more than one message of each stream", async () => {
    const target = await start();
    const peer = await attack(target, setting(Setting.INITIAL_WINDOW_SIZE, 0));
    for (let stream = 1; stream < 100; stream += 2) {
      peer.write(peer.call(stream, listUsers), frame(FrameType.DATA, Flag.END_STREAM, stream, message()));
    }
    await until(() => target.running() === 50);
    expect(await peer.roundTrip()).toBe(true);
    expect(await serves(target)).toBe(true);
    // One byte at a time is enough to go on.
    peer.write(frame(FrameType.WINDOW_UPDATE, 0, 1, uint32(1)));
    expect(await peer.next(({ type, stream }) => type === FrameType.DATA && stream === 1)).toBeDefined();
    peer.socket.destroy();
    await until(() => target.running() === 0 && target.server.connections === 0);
  });

  test("that is complete loses it after a while", async () => {
    const target = await start({ stallTimeoutMs: 30 });
    const peer = await attack(target, setting(Setting.INITIAL_WINDOW_SIZE, 0));
    peer.write(peer.call(1, getUser), frame(FrameType.DATA, Flag.END_STREAM, 1, request));
    expect(await peer.end(1)).toBe("CANCEL");
    expect(await peer.roundTrip()).toBe(true);
  });

  test("has only so many of them kept, and only so many made", async () => {
    const target = await start({ maxQueuedBytes: 20_000 });
    const peer = await attack(target, setting(Setting.INITIAL_WINDOW_SIZE, 0));
    const ask = (stream: number) => [
      peer.call(stream, getUser),
      frame(FrameType.DATA, Flag.END_STREAM, stream, message(userOf("long answer"))),
    ];
    // All handlers have begun before the first answer is there.
    peer.write(...Array.from({ length: 50 }, (_, call) => ask(2 * call + 1)).flat());
    expect(await peer.end(99)).toBe("grpc-status 8");
    const kept = peer.frames.filter((each) => each.type === FrameType.HEADERS && !peer.fields(each)["grpc-status"]);
    expect(kept).toHaveLength(8);
    expect(target.begun()).toBe(50);
    // From now on they wait.
    peer.write(...ask(101), ...ask(103));
    await peer.roundTrip();
    expect(target.begun()).toBe(50);
    expect(await serves(target)).toBe(true);
    peer.write(frame(FrameType.WINDOW_UPDATE, 0, 0, uint32(1_000_000)));
    peer.write(frame(FrameType.SETTINGS, 0, 0, setting(Setting.INITIAL_WINDOW_SIZE, 65_535)));
    expect(await peer.end(1)).toBe("grpc-status 0");
    expect(await peer.end(103)).toBe("grpc-status 0");
    expect(target.begun()).toBe(52);
  });

  test("has fewer of them kept, the more others do the same", async () => {
    const target = await start({ maxQueuedBytesInAll: 60_000 });
    const peers = await Promise.all(
      Array.from({ length: 6 }, () => attack(target, setting(Setting.INITIAL_WINDOW_SIZE, 0))),
    );
    for (const peer of peers) {
      for (let stream = 1; stream < 40; stream += 2) {
        peer.write(
          peer.call(stream, getUser),
          frame(FrameType.DATA, Flag.END_STREAM, stream, message(userOf("long answer"))),
        );
      }
    }
    for (const peer of peers) await peer.roundTrip();
    const kept = (peer: Peer) =>
      peer.frames.filter((each) => each.type === FrameType.HEADERS && !peer.fields(each)["grpc-status"]).length;
    const all = peers.map(kept);
    expect(Math.min(...all)).toBeGreaterThan(0);
    expect(all.reduce((sum, each) => sum + each)).toBeLessThan(12);
    expect(await serves(target)).toBe(true);
  });

  test("off its socket is closed", async () => {
    const target = await start({ stallTimeoutMs: 100 });
    const peer = await attack(target, setting(Setting.INITIAL_WINDOW_SIZE, 2 ** 31 - 1));
    peer.write(frame(FrameType.WINDOW_UPDATE, 0, 0, uint32(2 ** 30)));
    peer.socket.pause();
    for (let stream = 1; stream < 20; stream += 2) {
      peer.write(peer.call(stream, listUsers), frame(FrameType.DATA, Flag.END_STREAM, stream, message()));
    }
    await until(() => target.begun() > 0 && target.server.connections === 0);
    await until(() => target.running() === 0);
    expect(await serves(target)).toBe(true);
  });

  test("gets all of them, whole, once it does", async () => {
    const target = await start();
    const peer = await attack(target, setting(Setting.INITIAL_WINDOW_SIZE, 2 ** 31 - 1));
    peer.write(frame(FrameType.WINDOW_UPDATE, 0, 0, uint32(2 ** 30)));
    // Together their answers are more than the system keeps for a connection.
    const streams = Array.from({ length: 2_000 }, (_, call) => 2 * call + 1);
    peer.socket.pause();
    for (const stream of streams) {
      const body = message(userOf(`long ${stream}`));
      peer.write(peer.call(stream, getUser), frame(FrameType.DATA, Flag.END_STREAM, stream, body));
    }
    await until(() => target.server.streams > 100);
    peer.socket.resume();
    for (const stream of streams) expect(await peer.end(stream)).toBe("grpc-status 0");
    for (const { type, stream, payload } of peer.frames) {
      if (type === FrameType.DATA) expect(payload.equals(message(userOf(longOf(`long ${stream}`))))).toBe(true);
    }
  });
});

/** A body cut into frames. */
function inFrames(stream: number, body: Buffer): Buffer[] {
  const frames: Buffer[] = [];
  for (let at = 0; at < body.length; at += 16_384) {
    const isLast = at + 16_384 >= body.length;
    frames.push(frame(FrameType.DATA, isLast ? Flag.END_STREAM : 0, stream, body.subarray(at, at + 16_384)));
  }
  return frames;
}

describe("a peer that is gone", () => {
  test.each<[string, (peer: Peer) => unknown]>([
    ["half, by closing its side", (peer) => peer.socket.end()],
    ["without a word", (peer) => peer.socket.destroy()],
    ["by a reset", (peer) => peer.socket.resetAndDestroy()],
  ])("%s, leaves nothing behind", async (_name, leave) => {
    const target = await start();
    const peer = await attack(target);
    peer.write(
      peer.call(1, getUser),
      frame(FrameType.DATA, Flag.END_STREAM, 1, wait),
      peer.call(3, createUsers),
      frame(FrameType.DATA, 0, 3, message().subarray(0, 3)),
    );
    await until(() => target.running() === 1);
    leave(peer);
    await until(() => target.running() === 0 && target.server.connections === 0);
    expect(await serves(target)).toBe(true);
  });
});

describe("what is too long is refused:", () => {
  test("a frame", async () => {
    const peer = await attack(await start());
    peer.write(frame(FrameType.DATA, 0, 1, Buffer.alloc(16_385)));
    expect(await peer.goAway()).toBe("FRAME_SIZE_ERROR");
  });

  test("a message, before it has arrived", async () => {
    const peer = await attack(await start());
    peer.write(peer.call(1, getUser), frame(FrameType.DATA, 0, 1, Buffer.from([0, 0xff, 0xff, 0xff, 0xff])));
    expect(await peer.end(1)).toBe("grpc-status 8");
  });

  test("all that is incomplete on one connection", async () => {
    const target = await start();
    const peer = await attack(target);
    const full = Buffer.alloc(16_384);
    message(Buffer.alloc(4_000_000)).copy(full, 0, 0, 5);
    // Nine messages of almost 4 MB each, none of which ends.
    for (let turn = 0; turn < 240; turn++) {
      for (let stream = 1; stream < 19; stream += 2) {
        if (turn === 0) peer.write(peer.call(stream, createUsers));
        peer.write(frame(FrameType.DATA, 0, stream, turn === 0 ? full : Buffer.alloc(16_384)));
      }
      await peer.roundTrip();
    }
    const refused = peer.frames.filter((each) => peer.fields(each)["grpc-status"] === "8");
    expect(refused.length).toBeGreaterThan(0);
    expect(refused.length).toBeLessThan(9);
    expect(await serves(target)).toBe(true);
    // Whoever begins later is served, over each protocol, on the same connection.
    const long = message(userOf("x".repeat(60_000)));
    const json = Buffer.from(JSON.stringify({ id: "y".repeat(60_000) }));
    const fields = [":method", "POST", ":scheme", "http", ":path", getUser, "content-type", "application/json"];
    peer.write(
      frame(FrameType.WINDOW_UPDATE, 0, 0, uint32(1_000_000)),
      peer.call(101, getUser),
      ...inFrames(101, long),
      frame(FrameType.HEADERS, Flag.END_HEADERS, 103, peer.block(fields)),
      ...inFrames(103, json),
    );
    expect(await peer.end(101)).toBe("grpc-status 0");
    expect(await peer.end(103)).toBe("ended");
    expect(peer.frames.some((each) => each.stream === 103 && peer.fields(each)[":status"] === "200")).toBe(true);
  });

  test("all that is incomplete on all connections, of the one that keeps most", async () => {
    const target = await start({ maxIncompleteBytesInAll: 100_000 });
    const part = message(Buffer.alloc(50_000)).subarray(0, 16_000);
    const begin = async (streams: number) => {
      const peer = await attack(target);
      for (let stream = 1; stream < 2 * streams; stream += 2) {
        peer.write(peer.call(stream, createUsers), frame(FrameType.DATA, 0, stream, part));
      }
      await peer.roundTrip();
      return peer;
    };
    const few = await begin(2);
    const many = await begin(4);
    const newcomer = await begin(1);
    expect(await many.end(1)).toBe("grpc-status 8");
    const refused = [few, many, newcomer].map(
      ({ frames }) => frames.filter(({ type }) => type === FrameType.HEADERS).length,
    );
    expect(refused).toEqual([0, 1, 0]);
    // Those that leave make room.
    many.socket.destroy();
    await many.closed;
    for (let turn = 0; turn < 3; turn++) await few.roundTrip();
    const next = await begin(3);
    expect(next.frames.filter(({ type }) => type === FrameType.HEADERS)).toEqual([]);
  });

  test.each([
    ["gRPC", "application/grpc", message(Buffer.alloc(50)).subarray(0, 40)],
    ["gRPC-Web", "application/grpc-web+proto", message(Buffer.alloc(50)).subarray(0, 40)],
    ["Connect", "application/json", Buffer.from('{"id":')],
  ])("what is incomplete for too long, over %s, whatever the deadline", async (_name, contentType, part) => {
    const target = await start({ messageTimeoutMs: 30 });
    const peer = await attack(target);
    const fields = [":method", "POST", ":scheme", "http", ":path", getUser, "content-type", contentType];
    const deadline = contentType === "application/json" ? [] : ["grpc-timeout", "9999H"];
    peer.write(
      frame(FrameType.HEADERS, Flag.END_HEADERS, 1, peer.block([...fields, ...deadline])),
      frame(FrameType.DATA, 0, 1, part),
    );
    expect(await peer.end(1)).toBeDefined();
    const said = peer.frames.map((each) => peer.fields(each)["grpc-status"] ?? peer.fields(each)[":status"]);
    const body = Buffer.concat(peer.frames.filter(({ type }) => type === FrameType.DATA).map(({ payload }) => payload));
    expect(`${said.filter(Boolean).at(-1)} ${body.toString("latin1")}`).toMatch(/^4 |^504 |grpc-status: 4/);
  });

  test("a message in a stream that is incomplete for too long, but no silence between two", async () => {
    const target = await start({ messageTimeoutMs: 30 });
    const peer = await attack(target);
    for (const stream of [1, 3])
      peer.write(peer.call(stream, createUsers), frame(FrameType.DATA, 0, stream, message()));
    peer.write(frame(FrameType.DATA, 0, 3, message(Buffer.alloc(9)).subarray(0, 8)));
    expect(await peer.end(3)).toBe("grpc-status 4");
    peer.write(frame(FrameType.DATA, Flag.END_STREAM, 1, message()));
    expect(await peer.end(1)).toBe("grpc-status 0");
  });

  test("a compressed message that unpacks to more", async () => {
    const { gzipSync } = await import("node:zlib");
    const peer = await attack(await start());
    peer.write(
      peer.call(1, getUser, ["grpc-encoding", "gzip"]),
      frame(FrameType.DATA, Flag.END_STREAM, 1, message(gzipSync(Buffer.alloc(5_000_000)), 1)),
    );
    expect(await peer.end(1)).toBe("grpc-status 8");
  });
});

test("what cannot be unpacked, in a request that never ends, harms nobody", async () => {
  const unhandled: unknown[] = [];
  const listener = (reason: unknown) => unhandled.push(reason);
  process.on("unhandledRejection", listener);
  cleanups.push(() => process.off("unhandledRejection", listener));
  const target = await start();
  const peer = await attack(target);
  peer.write(peer.call(1, getUser, ["grpc-encoding", "gzip"]), frame(FrameType.DATA, 0, 1, message(request, 1)));
  // A whole call of the same kind takes longer, so the first message has been looked at.
  peer.write(
    peer.call(3, getUser, ["grpc-encoding", "gzip"]),
    frame(FrameType.DATA, Flag.END_STREAM, 3, message(request, 1)),
  );
  expect(await peer.end(3)).toBe("grpc-status 3");
  expect(await peer.roundTrip()).toBe(true);
  expect(unhandled).toEqual([]);
});
