import { once } from "node:events";
import { connect } from "node:net";
import { create, toBinary, toJsonString } from "@bufbuild/protobuf";
import type { ConnectRouter, HandlerContext } from "@connectrpc/connect";
import { OrderService, PlaceOrderRequestSchema } from "@shop/generated/shop/orders/v1/orders_pb.js";
import { CreateUsersRequestSchema, UserService } from "@shop/generated/shop/users/v1/users_pb.js";
import { Flag, FrameType } from "../../http2/frames.js";
import { frame, message, Peer, uint32 } from "../../http2/testing/peer.js";

const order = create(PlaceOrderRequestSchema, { requestId: "r", customerId: "c" });
const user = create(CreateUsersRequestSchema, { user: { displayName: "u" } });
const orderProto = toBinary(PlaceOrderRequestSchema, order);
// Spaces may follow JSON, so that the text is complete before the end of the body.
const orderJson = Buffer.from(`${toJsonString(PlaceOrderRequestSchema, order)}  `);
const userProto = message(toBinary(CreateUsersRequestSchema, user));
const userJson = message(Buffer.from(toJsonString(CreateUsersRequestSchema, user)));

/** A call and its encoded body. */
export interface Sent {
  readonly name: string;
  readonly path: string;
  readonly contentType: string;
  readonly body: Buffer;
}

const placeOrder = "/shop.orders.v1.OrderService/PlaceOrder";
const createUsers = "/shop.users.v1.UserService/CreateUsers";
const unary = (name: string, contentType: string, body: Uint8Array, path = placeOrder): Sent => {
  return { name, path, contentType, body: Buffer.from(body) };
};
const stream = (name: string, contentType: string, each: Buffer): Sent => {
  return { name, path: createUsers, contentType, body: Buffer.concat([each, each]) };
};

/** Calls of each protocol: unary ones, and streams of two requests, of which a handler must see both or fail. */
export const calls: readonly Sent[] = [
  unary("gRPC", "application/grpc+proto", message(orderProto)),
  unary("gRPC with JSON", "application/grpc+json", message(orderJson)),
  unary("gRPC-Web", "application/grpc-web+proto", message(orderProto)),
  unary("Connect", "application/proto", orderProto),
  unary("Connect with JSON", "application/json", orderJson),
  stream("gRPC stream", "application/grpc", userProto),
  stream("gRPC-Web stream", "application/grpc-web+proto", userProto),
  stream("Connect stream", "application/connect+proto", userProto),
  stream("Connect stream with JSON", "application/connect+json", userJson),
];
/** REST calls, with a body and without one. */
export const restCalls: readonly Sent[] = [
  unary("REST", "application/json", orderJson, "/v1/orders"),
  unary("REST without a body", "", Buffer.alloc(0), "/v1/orders/1:cancel"),
];

/** Handlers that record the outcome of each call, under its header `x-call`. */
export class Witness {
  readonly carriedOut: string[] = [];
  /** The number of request streams that handlers began to read. */
  begun = 0;
  /** The number of request streams that failed in their handlers. */
  cancelled = 0;

  readonly routes = (router: ConnectRouter): void => {
    router.service(OrderService, {
      placeOrder: (_, context) => this.#done(context),
      cancelOrder: (_, context) => this.#done(context),
      getOrder: ({ id }) => ({ id }),
    });
    router.service(UserService, {
      createUsers: async (requests, context) => {
        this.begun++;
        try {
          for await (const _ of requests);
        } catch (error) {
          this.cancelled++;
          throw error;
        }
        return this.#done(context);
      },
    });
  };

  #done({ requestHeader }: HandlerContext): object {
    this.carriedOut.push(requestHeader.get("x-call") ?? "");
    return {};
  }
}

/** A way to interrupt a call. */
export interface Cut {
  readonly name: string;
  /** Returns the number of bytes of a call: fewer bytes are an incomplete call. */
  length(call: Sent): number;
  /** Sends a call named `as`, and interrupts it after so many bytes of its body; -1: sends the whole call. */
  send(port: number, call: Sent, bytes: number, as: string): Promise<void>;
}

/** Interrupts a call by RST_STREAM, on a connection that stays open. */
function reset(code: number, hasLength: boolean): Cut {
  return {
    name: `RST_STREAM ${code}${hasLength ? ", content-length" : ""}`,
    length: ({ body }) => body.length + 1,
    async send(port, call, bytes, as) {
      const peer = await Peer.connect(port);
      peer.write(...begin(peer, call, bytes, as, hasLength));
      if (bytes < 0) await peer.end(1);
      else {
        // The server must have read the incomplete call: a reset that arrives with its call would test less.
        await peer.roundTrip();
        peer.write(frame(FrameType.RST_STREAM, 0, 1, uint32(code)));
        await peer.roundTrip();
      }
      peer.socket.destroy();
    },
  };
}

/** Interrupts a call by closing the connection, with a TCP reset or a FIN. */
function closeConnection(how: "destroy" | "end"): Cut {
  return {
    name: `HTTP/2, ${how}`,
    length: ({ body }) => body.length + 1,
    async send(port, call, bytes, as) {
      const peer = await Peer.connect(port);
      peer.write(...begin(peer, call, bytes, as, false));
      if (bytes < 0) await peer.end(1);
      else await peer.roundTrip();
      peer.socket[how]();
      await peer.closed;
    },
  };
}

function begin(peer: Peer, { path, contentType, body }: Sent, bytes: number, as: string, sized: boolean) {
  const fields = [":method", "POST", ":scheme", "http", ":path", path, ":authority", "localhost", "x-call", as];
  if (contentType !== "") fields.push("content-type", contentType);
  if (sized) fields.push("content-length", String(body.length));
  const data = bytes < 0 ? body : body.subarray(0, bytes);
  return [
    frame(FrameType.HEADERS, Flag.END_HEADERS, 1, peer.block(fields)),
    frame(FrameType.DATA, bytes < 0 ? Flag.END_STREAM : 0, 1, data),
  ];
}

function http1(how: "destroy" | "end", chunked: boolean): Cut {
  const sent = ({ body }: Sent) => {
    if (!chunked || body.length === 0) return body;
    const half = body.length >> 1;
    const chunk = (part: Buffer) => [Buffer.from(`${part.length.toString(16)}\r\n`), part, Buffer.from("\r\n")];
    return Buffer.concat([...chunk(body.subarray(0, half)), ...chunk(body.subarray(half)), Buffer.from("0\r\n\r\n")]);
  };
  return {
    name: `HTTP/1.1, ${chunked ? "chunked" : "content-length"}, ${how}`,
    length: (call) => (call.body.length === 0 ? 0 : sent(call).length),
    async send(port, call, bytes, as) {
      const socket = connect({ port, host: "127.0.0.1", noDelay: true, allowHalfOpen: true });
      await once(socket, "connect");
      const whole = sent(call);
      const framing = chunked && whole.length > 0 ? "Transfer-Encoding: chunked" : `Content-Length: ${whole.length}`;
      const type = call.contentType === "" ? "" : `Content-Type: ${call.contentType}\r\n`;
      const head = `POST ${call.path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX-Call: ${as}\r\n${type}${framing}`;
      const closed = once(
        socket.on("error", () => undefined),
        "close",
      );
      socket.write(`${head}\r\n\r\n`);
      socket.write(bytes < 0 ? whole : whole.subarray(0, bytes));
      if (bytes < 0) await once(socket.resume(), "end");
      else {
        await new Promise((resolve) => setImmediate(resolve));
        if (how === "destroy") socket.destroy();
        else await once(socket.end().resume(), "end");
      }
      socket.destroy();
      await closed;
    },
  };
}

export const cuts: readonly Cut[] = [
  reset(8, false),
  reset(0, true),
  closeConnection("destroy"),
  closeConnection("end"),
  http1("destroy", false),
  http1("end", false),
  http1("destroy", true),
  http1("end", true),
];

/**
 * Interrupts a call at each of its bytes, or at every `step`th one, and sends the whole call in between. Returns a list of faults:
 * interrupted calls that a handler completed, and whole calls that it did not.
 */
export async function cutEverywhere(port: number, witness: Witness, call: Sent, cut: Cut, step = 1): Promise<string[]> {
  const positions: number[] = [];
  for (let at = cut.length(call) - 1; at >= 0; at -= step) positions.push(at);
  let whole = 0;
  for (let from = 0; from <= positions.length; from += 32) {
    const sent = positions.slice(from, from + 32).map((at) => cut.send(port, call, at, `cut at ${at}`));
    // Each whole call pays for four resets: the number of resets on one connection to a service is limited.
    const end = whole + 1 + sent.length / 4;
    for (; whole < end; whole++) sent.push(cut.send(port, call, -1, "whole"));
    await Promise.all(sent);
  }
  while (witness.begun > witness.cancelled + witness.carriedOut.length) await new Promise((r) => setTimeout(r, 1));
  const carriedOut = witness.carriedOut.splice(0);
  witness.begun = witness.cancelled = 0;
  const wrong = carriedOut.filter((as) => as !== "whole");
  if (carriedOut.length - wrong.length !== whole)
    wrong.push(`${carriedOut.length - wrong.length} of ${whole} whole ones`);
  return wrong.map((what) => `${call.name}: ${what}`);
}
