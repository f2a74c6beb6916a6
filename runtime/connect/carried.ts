import { create, type DescMessage, type DescMethod } from "@bufbuild/protobuf";
import { type Empty, EmptySchema } from "@bufbuild/protobuf/wkt";
import { Code, type Transport } from "@connectrpc/connect";
import type { Codec } from "../codec/codec.js";
import { codecOf } from "../codec/known.js";
import { Reader } from "../codec/reader.js";
import { errorFor } from "../errors/error.js";
import { type MalformedCode, readMessage } from "../grpc/frame.js";

/**
 * Connect takes no codec: it reads and writes messages with protobuf-es. So a message in binary goes through it as an empty one
 * whose unknown fields are the message's bytes, which protobuf-es passes on as they are.
 */

/** The same method, as Connect is to know it. */
export function carriedMethod(method: DescMethod): DescMethod {
  return { ...method, input: EmptySchema, output: EmptySchema } as DescMethod;
}

/**
 * Returns what Connect writes as the message's bytes.
 *
 * @throws ConnectError INTERNAL if it is no such message
 */
export function carry(codec: Codec, message: unknown): Empty {
  let bytes: Uint8Array;
  try {
    bytes = codec.toBytes(message as never);
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    throw errorFor("MESSAGE_NOT_WRITABLE", `serialize binary: ${text}`, { cause: error });
  }
  const carried = create(EmptySchema);
  if (bytes.length === 0) return carried;
  // A single unknown field, whose data continue with the following fields.
  const reader = new Reader(bytes, 0, bytes.length);
  const tag = reader.tag(bytes.length);
  carried.$unknown = [{ no: tag >>> 3, wireType: tag & 7, data: bytes.subarray(reader.at) }];
  return carried;
}

/** Returns the message whose bytes Connect decoded as `carried`. Throws a ConnectError if they are invalid. */
export function delivered(codec: Codec, carried: Empty, malformedCode: MalformedCode): unknown {
  const bytes = codecOf(EmptySchema).toBytes(carried);
  return readMessage(codec, bytes, 0, bytes.length, malformedCode);
}

/** Makes a binary Connect transport encode and decode messages with codecs. */
export function withCodecs(transport: Transport): Transport {
  const methods = new Map<DescMethod, Carried>();
  const carriedOf = (method: DescMethod): Carried => {
    let known = methods.get(method);
    if (known === undefined) {
      known = { method: carriedMethod(method), input: codecOf(method.input), output: codecOf(method.output) };
      methods.set(method, known);
    }
    return known;
  };
  return {
    async unary(method, signal, timeoutMs, header, message, contextValues) {
      const { method: carried, input, output } = carriedOf(method);
      const request = carry(input, message);
      const response = await transport.unary(carried as never, signal, timeoutMs, header, request, contextValues);
      return { ...response, method, message: delivered(output, response.message as Empty, Code.Internal) } as never;
    },
    async stream(method, signal, timeoutMs, header, messages, contextValues) {
      const { method: carried, input, output } = carriedOf(method);
      const requests = mapped(messages, (message) => carry(input, message));
      const response = await transport.stream(carried as never, signal, timeoutMs, header, requests, contextValues);
      const read = (message: unknown) => delivered(output, message as Empty, Code.Internal);
      return { ...response, method, message: mapped(response.message as AsyncIterable<unknown>, read) } as never;
    },
  };
}

interface Carried {
  readonly method: DescMethod;
  readonly input: Codec<DescMessage>;
  readonly output: Codec<DescMessage>;
}

async function* mapped<A, B>(messages: AsyncIterable<A>, map: (message: A) => B): AsyncIterable<B> {
  for await (const message of messages) yield map(message);
}
