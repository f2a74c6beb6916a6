import { gzipSync } from "node:zlib";
import { Code, ConnectError } from "@connectrpc/connect";
import { codeFromString } from "@connectrpc/connect/protocol-connect";
import * as grpc from "@grpc/grpc-js";
import { UserService } from "@shop/generated/shop/users/v1/users_pb.js";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { BadRequestSchema } from "../options/google/rpc/error_details_pb.js";
import { createServerAdapter } from "./adapter.js";
import { type Listener, listen } from "./listen.js";

let listeners: Readonly<Record<"native" | "node", Listener>>;

beforeAll(async () => {
  const [native, node] = await Promise.all((["native", "node"] as const).map(serve));
  listeners = { native: native!, node: node! };
});
afterAll(() => Promise.all(Object.values(listeners).map((listener) => listener.drain(0))));

/** A server that says what it has read, as a handler sees it; and for some ids what is no text. */
function serve(transport: "native" | "node"): Promise<Listener> {
  const handlers = createServerAdapter({
    transport,
    readMaxBytes: 10_000,
    routes: (router) =>
      router.service(UserService, {
        getUser: ({ id }) => {
          const details = [{ desc: BadRequestSchema, value: { fieldViolations: [{ field: "\ud83d" }] } }];
          if (id === "message") throw new ConnectError("\ufeffcut \ud83d", Code.Aborted);
          if (id === "details") throw new ConnectError("no", Code.Aborted, undefined, details);
          return { id, displayName: id === "half" ? "\ud83d" : JSON.stringify(id) };
        },
        async *listUsers() {
          yield { displayName: "whole" };
          yield { displayName: "cut \ud83d" };
        },
        async createUsers(requests) {
          const users = [];
          for await (const { user } of requests) users.push({ id: user?.id ?? "" });
          return { users };
        },
      }),
  });
  return listen({ ...handlers, host: "127.0.0.1", port: 0 });
}

/** Sends messages as these bytes, and returns the answer's messages. Throws a ConnectError with the status that is no OK. */
type Send = (method: string, ...messages: Buffer[]) => Promise<Buffer[]>;

const grpcOver =
  (transport: "native" | "node"): Send =>
  (method, ...messages) =>
    new Promise((resolve, reject) => {
      const client = new grpc.Client(`127.0.0.1:${listeners[transport].port}`, grpc.credentials.createInsecure());
      const call = client.makeBidiStreamRequest(path(method), same, same);
      const answers: Buffer[] = [];
      call.on("data", (answer: Buffer) => answers.push(answer));
      call.on("error", (error: grpc.ServiceError) =>
        reject(new ConnectError(decodeURIComponent(error.details), error.code as number)),
      );
      call.on("status", () => client.close()).on("end", () => resolve(answers));
      for (const message of messages) call.write(message);
      call.end();
    });

const connectUnary =
  (format: "proto" | "json", isGzip = false): Send =>
  async (method, message) => {
    const response = await post(method, `application/${format}`, isGzip ? gzipSync(message!) : message!, {
      ...(isGzip && { "content-encoding": "gzip" }),
    });
    return [await connectBody(response)];
  };

const connectGet: Send = async (method, message) => {
  const query = `connect=v1&encoding=proto&base64=1&message=${message!.toString("base64url")}`;
  return [await connectBody(await fetch(`${url()}${path(method)}?${query}`))];
};

const grpcWeb =
  (format: "proto" | "json", isGzip = false): Send =>
  async (method, ...messages) => {
    const body = Buffer.concat(messages.map((message) => frame(isGzip ? gzipSync(message) : message, isGzip)));
    const response = await post(
      method,
      `application/grpc-web+${format}`,
      body,
      isGzip ? { "grpc-encoding": "gzip" } : {},
    );
    const answers = frames(Buffer.from(await response.arrayBuffer()));
    const trailers = new Headers(response.headers);
    const end = answers.find(({ flags }) => flags & 0x80);
    for (const line of end?.data.toString().trim().split("\r\n") ?? []) {
      const [name, ...value] = line.split(":");
      trailers.set(name!, value.join(":").trim());
    }
    const status = Number(trailers.get("grpc-status"));
    if (status !== 0) throw new ConnectError(decodeURIComponent(trailers.get("grpc-message") ?? ""), status);
    return answers.filter(({ flags }) => !(flags & 0x80)).map(({ data }) => data);
  };

const connectStream =
  (format: "proto" | "json"): Send =>
  async (method, ...messages) => {
    const body = Buffer.concat(messages.map((message) => frame(message)));
    const response = await post(method, `application/connect+${format}`, body);
    const answers = frames(Buffer.from(await response.arrayBuffer()));
    const { error } = JSON.parse(answers.find(({ flags }) => flags & 2)!.data.toString());
    if (error) throw new ConnectError(error.message, codeFromString(error.code));
    return answers.filter(({ flags }) => !(flags & 2)).map(({ data }) => data);
  };

const one: readonly [string, Send][] = [
  ["gRPC", grpcOver("native")],
  ["gRPC by connect-node", grpcOver("node")],
  ["gRPC-Web", grpcWeb("proto")],
  ["gRPC-Web, gzip", grpcWeb("proto", true)],
  ["Connect", connectUnary("proto")],
  ["Connect, gzip", connectUnary("proto", true)],
  ["Connect by GET", connectGet],
];
const many: readonly [string, Send][] = [...one.slice(0, 4), ["Connect", connectStream("proto")]];

describe.each(one)("%s", (kind, send) => {
  test("reads a request as the contract has it", async () => {
    expect(await send("GetUser", bytes("0a 01 61"))).toEqual([bytes('0a 01 61 1a 03 "a"')]);
    // A number where a text belongs, and a text that would be read as two fields.
    expect(await send("GetUser", bytes("08 0a 0a 01 61"))).toEqual([bytes('0a 01 61 1a 03 "a"')]);
    const marked = Buffer.from("\ufeffa");
    const [user] = await send("GetUser", Buffer.concat([bytes("0a 04"), marked]));
    expect(user).toEqual(Buffer.concat([bytes("0a 04"), marked, bytes("1a 06 22"), marked, bytes("22")]));
  });

  test.each(["0a 05 61", "0a 02 c3 28", "0f", "0b", "0c", "00", "0a ff ff ff ff 0f"])(
    "refuses %s with INVALID_ARGUMENT",
    async (hex) => {
      await expect(send("GetUser", bytes(hex))).rejects.toMatchObject({
        code: Code.InvalidArgument,
        rawMessage: expect.stringContaining("parse binary: "),
      });
    },
  );

  // No URL is that long.
  test.skipIf(kind.includes("GET"))("refuses what is too long, before and after it is unpacked", async () => {
    const long = Buffer.concat([bytes("0a f0 ab 01"), Buffer.alloc(22_000, "a")]);
    await expect(send("GetUser", long)).rejects.toMatchObject({ code: Code.ResourceExhausted });
  });
});

describe.each(many)("streams of %s", (_, send) => {
  test("reads each request, up to one that is none", async () => {
    const users = [bytes("0a 03 0a 01 61"), bytes("0a 00"), bytes("0a 03 0a 01 62")];
    expect(await send("CreateUsers", ...users)).toEqual([bytes("0a 03 0a 01 61 0a 00 0a 03 0a 01 62")]);
    await expect(send("CreateUsers", users[0]!, bytes("0a 05"))).rejects.toMatchObject({ code: Code.InvalidArgument });
  });
});

const half = "shop.users.v1.User.display_name has a lone surrogate";

test.each([...one, ["Connect, JSON", connectUnary("json")] as const, ["gRPC-Web, JSON", grpcWeb("json")] as const])(
  "%s: an answer that is no text is INTERNAL, with the field's name",
  async (kind, send) => {
    const request = kind.includes("JSON") ? Buffer.from('{"id": "half"}') : bytes("0a 04 68 61 6c 66");
    await expect(send("GetUser", request)).rejects.toMatchObject({
      code: Code.Internal,
      rawMessage: expect.stringContaining(half),
    });
  },
);

test.each(one)("%s: an error is told as text", async (_, send) => {
  const named = (id: string) => Buffer.concat([bytes("0a 07"), Buffer.from(id)]);
  await expect(send("GetUser", named("message"))).rejects.toMatchObject({
    code: Code.Aborted,
    rawMessage: "\ufeffcut \ufffd",
  });
  await expect(send("GetUser", named("details"))).rejects.toMatchObject({
    code: Code.Internal,
    rawMessage: expect.stringContaining("no: google.rpc.BadRequest.field_violations[0].field has a lone surrogate"),
  });
});

test.each([...many, ["Connect, JSON", connectStream("json")] as const])(
  "streams of %s: an answer that is no text ends them",
  async (kind, send) => {
    const request = kind.includes("JSON") ? Buffer.from("{}") : Buffer.alloc(0);
    await expect(send("ListUsers", request)).rejects.toMatchObject({
      code: Code.Internal,
      rawMessage: expect.stringContaining(half),
    });
  },
);

function url(): string {
  return `http://127.0.0.1:${listeners.native.port}`;
}

function path(method: string): string {
  return `/${UserService.typeName}/${method}`;
}

function post(method: string, type: string, body: Buffer, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(url() + path(method), {
    method: "POST",
    headers: { "content-type": type, ...headers },
    body: new Uint8Array(body),
  });
}

async function connectBody(response: Response): Promise<Buffer> {
  const body = Buffer.from(await response.arrayBuffer());
  if (response.ok) return body;
  const { code, message } = JSON.parse(body.toString());
  throw new ConnectError(message, codeFromString(code));
}

function frame(message: Uint8Array, isGzip = false): Buffer {
  const prefix = Buffer.alloc(5);
  prefix[0] = isGzip ? 1 : 0;
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

function frames(body: Buffer): { flags: number; data: Buffer }[] {
  const found = [];
  for (let at = 0; at < body.length; ) {
    const end = at + 5 + body.readUInt32BE(at + 1);
    found.push({ flags: body[at]!, data: body.subarray(at + 5, end) });
    at = end;
  }
  return found;
}

/** Bytes in hexadecimal; what is between quotation marks is text, them included. */
function bytes(hex: string): Buffer {
  return Buffer.concat(
    hex.split(" ").map((part) => (part.startsWith('"') ? Buffer.from(part) : Buffer.from(part, "hex"))),
  );
}

const same = (value: Buffer): Buffer => value;
