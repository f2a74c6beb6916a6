import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { errorName } from "../errors.js";
import { Flag, FrameType, preface, readUint31, readUint32 } from "../frames.js";
import { HpackDecoder } from "../hpack-decoder.js";
import { HpackEncoder } from "../hpack-encoder.js";
import { Output } from "../output.js";

export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

/** Returns the bytes of a frame, valid or not. */
export function frame(type: number, flags: number, stream: number, payload: Uint8Array = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** Returns the bytes of a setting in a SETTINGS frame. */
export function setting(name: number, value: number): Buffer {
  return Buffer.concat([Buffer.from([0, name]), uint32(value)]);
}

/** Returns a gRPC message with its prefix. */
export function message(bytes: Uint8Array = Buffer.alloc(0), flags = 0): Buffer {
  return Buffer.concat([Buffer.from([flags]), uint32(bytes.length), bytes]);
}

/** A client that sends the bytes that a test gives it, and keeps the frames that it receives. */
export class Peer {
  readonly frames: Frame[] = [];
  readonly closed: Promise<void>;
  isClosed = false;
  readonly #encoder = new HpackEncoder();
  readonly #decoder = new HpackDecoder(4096, 1_000_000);
  #rest = Buffer.alloc(0);
  #woken: (() => void)[] = [];

  constructor(readonly socket: Socket) {
    this.closed = new Promise((resolve) =>
      socket.once("close", () => {
        this.isClosed = true;
        this.#wake();
        resolve();
      }),
    );
    socket.on("error", () => undefined).on("data", (chunk: Buffer) => this.#read(chunk));
  }

  /** Connects to a server, and sends the preface and SETTINGS. */
  static async connect(port: number, settings: Buffer = Buffer.alloc(0)): Promise<Peer> {
    const peer = await Peer.silent(port);
    peer.write(preface, frame(FrameType.SETTINGS, 0, 0, settings));
    return peer;
  }

  /** Connects to a server, and sends nothing yet. */
  static async silent(port: number): Promise<Peer> {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    await once(socket, "connect");
    return new Peer(socket);
  }

  write(...frames: Buffer[]): boolean {
    return this.socket.write(Buffer.concat(frames));
  }

  /** Encodes a header block. */
  block(fields: readonly string[]): Buffer {
    const output = new Output(() => true);
    output.reserve(this.#encoder.room(fields));
    this.#encoder.encode(fields, output);
    return Buffer.from(output.buffer.subarray(0, output.at));
  }

  /** Returns the HEADERS frame of a gRPC call. */
  call(stream: number, path: string, more: readonly string[] = [], flags: number = Flag.END_HEADERS): Buffer {
    const fields = [":method", "POST", ":scheme", "http", ":path", path, ":authority", "a", "te", "trailers"];
    const block = this.block([...fields, "content-type", "application/grpc", ...more]);
    return frame(FrameType.HEADERS, flags, stream, block);
  }

  /** Waits for a frame. Returns undefined if the connection closes before. */
  async next(wanted: (frame: Frame) => boolean): Promise<Frame | undefined> {
    for (let seen = 0; ; ) {
      for (; seen < this.frames.length; seen++) if (wanted(this.frames[seen] as Frame)) return this.frames[seen];
      if (this.isClosed) return undefined;
      await new Promise<void>((resolve) => this.#woken.push(resolve));
    }
  }

  /** Waits for the end of the connection. Returns the error of its last GOAWAY. */
  async goAway(): Promise<string | undefined> {
    await this.closed;
    const last = this.frames.findLast(({ type }) => type === FrameType.GOAWAY);
    return last && errorName(readUint32(last.payload, 4));
  }

  /** Waits for the end of a stream. Returns the code of its reset, or its status. */
  async end(stream: number): Promise<string | undefined> {
    const last = await this.next(
      ({ type, flags, stream: id }) =>
        id === stream &&
        (type === FrameType.RST_STREAM ||
          ((type === FrameType.HEADERS || type === FrameType.DATA) && (flags & Flag.END_STREAM) !== 0)),
    );
    if (last === undefined) return undefined;
    if (last.type === FrameType.RST_STREAM) return errorName(readUint32(last.payload, 0));
    if (last.type === FrameType.DATA) return "ended";
    const fields = this.fields(last);
    return fields["grpc-status"] === undefined ? `HTTP ${fields[":status"]}` : `grpc-status ${fields["grpc-status"]}`;
  }

  /** Sends a PING and waits for its acknowledgement: all frames before it have been handled then. */
  async roundTrip(): Promise<boolean> {
    const before = this.frames.length;
    this.write(frame(FrameType.PING, 0, 0, Buffer.alloc(8, 7)));
    const isAnswer = (each: Frame) =>
      this.frames.indexOf(each) >= before && each.type === FrameType.PING && each.payload[0] === 7;
    return (await this.next(isAnswer)) !== undefined;
  }

  readonly #fields = new Map<Frame, Record<string, string>>();

  /** Returns the fields of a received HEADERS frame. */
  fields(from: Frame): Record<string, string> {
    return this.#fields.get(from) ?? {};
  }

  #read(chunk: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    while (this.#rest.length >= 9 && this.#rest.length >= 9 + this.#rest.readUIntBE(0, 3)) {
      const end = 9 + this.#rest.readUIntBE(0, 3);
      const received: Frame = {
        type: this.#rest[3] as number,
        flags: this.#rest[4] as number,
        stream: readUint31(this.#rest, 5),
        payload: this.#rest.subarray(9, end),
      };
      if (received.type === FrameType.HEADERS) {
        const { fields } = this.#decoder.decode(received.payload, 0, received.payload.length);
        this.#fields.set(received, Object.fromEntries(fields.map(({ name, value }) => [name, value])));
      }
      this.frames.push(received);
      this.#rest = this.#rest.subarray(end);
    }
    this.#wake();
  }

  #wake(): void {
    for (const wake of this.#woken.splice(0)) wake();
  }
}
