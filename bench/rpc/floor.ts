import { createServer, type Socket } from "node:net";

// RFC 9113, section 6: types of frames, and flags.
const [DATA, HEADERS, SETTINGS, PING, WINDOW_UPDATE] = [0, 1, 4, 6, 8];
const [ACK, END_STREAM, END_HEADERS] = [1, 1, 4];

/**
 * The least that a server on node:net can do for a call: looks at the heads of frames and at nothing in them, and answers the same
 * bytes each time, all that one chunk asks for in one write. What the sockets cost, below any gRPC. Answers with its port.
 */
export function floor(message: Uint8Array): Promise<number> {
  const frames = [
    // HPACK: `:status: 200` is in its static table; the other two are literals that are not remembered.
    frame(HEADERS, END_HEADERS, Buffer.from([0x88, ...literal("content-type", "application/grpc+proto")])),
    frame(DATA, 0, message),
    frame(HEADERS, END_HEADERS | END_STREAM, Buffer.from(literal("grpc-status", "0"))),
  ];
  const answer = Buffer.concat(frames);
  // Where each of the three says which stream it is of.
  const ids = frames.map((_, index) => 5 + Buffer.concat(frames.slice(0, index)).length);
  const server = createServer((socket) => {
    socket.setNoDelay();
    socket.on("error", () => undefined);
    // As many streams as are asked for, and as much as all of them will ever send.
    socket.write(Buffer.concat([frame(SETTINGS, 0, Buffer.from([0, 3, 0, 0, 3, 232])), windowUpdate()]));
    let rest: Buffer = Buffer.alloc(0);
    let at = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".length;
    socket.on("data", (chunk: Buffer) => {
      const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      const answers: Buffer[] = [];
      while (at + 9 <= bytes.length && at + 9 + bytes.readUIntBE(at, 3) <= bytes.length) {
        const [length, type, flags] = [bytes.readUIntBE(at, 3), bytes[at + 3], bytes[at + 4] ?? 0];
        if (type === DATA && (flags & END_STREAM) !== 0) {
          const copy = Buffer.from(answer);
          const id = bytes.readUInt32BE(at + 5);
          for (const place of ids) copy.writeUInt32BE(id, place);
          answers.push(copy);
        } else if ((type === SETTINGS || type === PING) && (flags & ACK) === 0) {
          answers.push(frame(type, ACK, type === PING ? bytes.subarray(at + 9, at + 17) : Buffer.alloc(0)));
        }
        at += 9 + length;
      }
      const consumed = Math.min(at, bytes.length);
      rest = bytes.subarray(consumed);
      at -= consumed;
      write(socket, answers);
    });
  });
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => resolve((server.address() as { port: number }).port));
  });
}

function write(socket: Socket, answers: readonly Buffer[]): void {
  if (answers.length > 0) socket.write(answers.length === 1 ? answers[0]! : Buffer.concat(answers));
}

function frame(type: number, flags: number, payload: Uint8Array): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  return Buffer.concat([head, payload]);
}

function windowUpdate(): Buffer {
  const payload = Buffer.alloc(4);
  payload.writeUInt32BE(2 ** 31 - 1 - 65_535);
  return frame(WINDOW_UPDATE, 0, payload);
}

function literal(name: string, value: string): number[] {
  return [0, name.length, ...Buffer.from(name), value.length, ...Buffer.from(value)];
}
