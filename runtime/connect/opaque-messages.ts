import { create, type DescMessage, type DescMethod } from "@bufbuild/protobuf";
import { type Empty, EmptySchema } from "@bufbuild/protobuf/wkt";
import { Code, type Transport } from "@connectrpc/connect";
import type { Codec } from "../codec/codec.js";
import { codecOf } from "../codec/known.js";
import { Reader } from "../codec/reader.js";
import { errorFor } from "../errors/error.js";
import { type MalformedCode, readMessage } from "../grpc/frame.js";

/**
 * Connect accepts no custom codec: it encodes and decodes messages with protobuf-es. A binary message therefore passes through
 * Connect as a google.protobuf.Empty whose unknown fields are the bytes of the message, which protobuf-es does not change.
 */

/** Returns the method with google.protobuf.Empty as its messages, for Connect. */
export function opaqueMethod(method: DescMethod): DescMethod {
  return { ...method, input: EmptySchema, output: EmptySchema } as DescMethod;
}

/**
 * Encodes a message. Returns the google.protobuf.Empty that Connect writes as the same bytes.
 *
 * @throws ConnectError INTERNAL if the message cannot be encoded
 */
export function toOpaque(codec: Codec, message: unknown): Empty {
  let bytes: Uint8Array;
  try {
    bytes = codec.toBytes(message as never);
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    throw errorFor("MESSAGE_NOT_WRITABLE", `serialize binary: ${text}`, { cause: error });
  }
  const opaque = create(EmptySchema);
  if (bytes.length === 0) return opaque;
  // A single unknown field suffices: its data are the rest of the bytes, including all later fields.
  const reader = new Reader(bytes, 0, bytes.length);
  const tag = reader.tag(bytes.length);
  opaque.$unknown = [{ no: tag >>> 3, wireType: tag & 7, data: bytes.subarray(reader.at) }];
  return opaque;
}

/** Decodes the message whose bytes Connect has read as `opaque`. Throws a ConnectError if they are invalid. */
export function fromOpaque(codec: Codec, opaque: Empty, malformedCode: MalformedCode): unknown {
  const bytes = codecOf(EmptySchema).toBytes(opaque);
  return readMessage(codec, bytes, 0, bytes.length, malformedCode);
}

/** Returns a Connect transport that encodes and decodes the messages of a binary transport with codecs. */
export function withCodecs(transport: Transport): Transport {
  const methods = new Map<DescMethod, OpaqueMethod>();
  const opaqueOf = (method: DescMethod): OpaqueMethod => {
    let known = methods.get(method);
    if (known === undefined) {
      known = { method: opaqueMethod(method), input: codecOf(method.input), output: codecOf(method.output) };
      methods.set(method, known);
    }
    return known;
  };
  return {
    async unary(method, signal, timeoutMs, header, message, contextValues) {
      const { method: opaque, input, output } = opaqueOf(method);
      const request = toOpaque(input, message);
      const response = await transport.unary(opaque as never, signal, timeoutMs, header, request, contextValues);
      return { ...response, method, message: fromOpaque(output, response.message as Empty, Code.Internal) } as never;
    },
    async stream(method, signal, timeoutMs, header, messages, contextValues) {
      const { method: opaque, input, output } = opaqueOf(method);
      const requests = mapped(messages, (message) => toOpaque(input, message));
      const response = await transport.stream(opaque as never, signal, timeoutMs, header, requests, contextValues);
      const read = (message: unknown) => fromOpaque(output, message as Empty, Code.Internal);
      return { ...response, method, message: mapped(response.message as AsyncIterable<unknown>, read) } as never;
    },
  };
}

interface OpaqueMethod {
  readonly method: DescMethod;
  readonly input: Codec<DescMessage>;
  readonly output: Codec<DescMessage>;
}

async function* mapped<A, B>(messages: AsyncIterable<A>, map: (message: A) => B): AsyncIterable<B> {
  for await (const message of messages) yield map(message);
}
