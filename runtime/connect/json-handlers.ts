import { setImmediate } from "node:timers/promises";
import type { DescMethod, Message } from "@bufbuild/protobuf";
import { type StringValue, StringValueSchema } from "@bufbuild/protobuf/wkt";
import {
  Code,
  ConnectError,
  type ConnectRouterOptions,
  createConnectRouter,
  type HandlerContext,
  type MethodImpl,
} from "@connectrpc/connect";
import type { UniversalHandler } from "@connectrpc/connect/protocol";
import { onAbort } from "../call/on-abort.js";
import { lacking, refusedJson } from "../call/refused-json.js";
import { createMessage } from "../codec/create.js";
import { LoneSurrogateError } from "../codec/lone-surrogate.js";
import { jsonText } from "../codec/protojson/json-text.js";
import { readJson } from "../codec/protojson/read.js";
import { missingRequired } from "../codec/protojson/required.js";
import { JsonPieces } from "../codec/protojson/write.js";
import { explains } from "./explain.js";
import { checkVersion, takeRead, withReadQuery } from "./request-bodies.js";

/** A method as Connect's router takes it: one request or an iterable of them, and the call's context. */
type Implementation = (request: unknown, context: HandlerContext) => unknown;

/**
 * Has the calls of a method in JSON read and written by our own codec: Connect, gRPC-Web and gRPC with a content type of JSON,
 * and Connect's GET. `handler` gets all others.
 *
 * Connect can be given no codec. So calls in JSON have a handler of their own, whose messages are texts as far as Connect
 * knows: what it has for JSON.parse and JSON.stringify then is a JSON text in quotes.
 *
 * @param options those that `handler` was made with
 */
export function readsJson(
  handler: UniversalHandler,
  method: DescMethod,
  implementation: Implementation,
  options: ConnectRouterOptions,
): UniversalHandler {
  const json = jsonHandler(method, implementation, options);
  const handle = (request: Parameters<UniversalHandler>[0]) => {
    if (!isJson(request)) return handler(request);
    return json(request.method === "GET" ? withReadQuery(request, readText, options, "json") : request);
  };
  return Object.assign(handle, { ...handler });
}

const jsonType = /^application\/(?:(?:connect|grpc|grpc-web)\+)?json\s*(?:;|$)/i;

function isJson({ method, url, header }: Parameters<UniversalHandler>[0]): boolean {
  // Connect reads the query by these rules, in which any letter may be percent-encoded.
  if (method === "GET") return new URL(url).searchParams.get("encoding") === "json";
  return jsonType.test(header.get("content-type") ?? "");
}

function readText(bytes: Uint8Array): string {
  try {
    return jsonText(bytes);
  } catch (error) {
    throw refusedJson(error);
  }
}

/** What Connect does with a text: the type leaves out that its serialization takes these. */
const texts = {
  textDecoder: {
    decode: (bytes: Uint8Array) => JSON.stringify(readText(bytes)),
  },
  textEncoder: {
    encode(quoted: string): Uint8Array {
      const text = JSON.parse(quoted) as string;
      const large = largeTexts.get(text);
      largeTexts.delete(text);
      return large ?? Buffer.from(text);
    },
  },
};

/**
 * Texts that were too large to be written in one turn, between the end of their writing and Connect's serialization, which
 * comes next: Connect has a name in their place, which is no JSON.
 */
const largeTexts = new Map<string, Uint8Array>();
let largeTextsWritten = 0;

function jsonHandler(method: DescMethod, implementation: Implementation, options: ConnectRouterOptions) {
  const json = new JsonMethod(method, options.jsonOptions);
  const carried = { ...method, input: StringValueSchema, output: StringValueSchema } as DescMethod;
  const { jsonOptions } = options;
  return createConnectRouter({ ...options, jsonOptions: { ...jsonOptions, ...texts } }).rpc(
    carried,
    json.carry(implementation) as MethodImpl<DescMethod>,
  ).handlers[0]!;
}

/** The messages of a method, as JSON texts. */
class JsonMethod {
  constructor(
    private readonly method: DescMethod,
    private readonly options: ConnectRouterOptions["jsonOptions"],
  ) {}

  /** The same method with string messages. */
  carry(implementation: Implementation): (request: unknown, context: HandlerContext) => unknown {
    const { method } = this;
    const { methodKind } = method;
    const isOne = methodKind === "unary" || methodKind === "server_streaming";
    const call = (request: unknown, context: HandlerContext) => {
      checkVersion(context);
      const own = Object.assign(context, { method });
      if (!isOne) return implementation(this.readAll(request as AsyncIterable<StringValue>), own);
      const text = takeRead(context) as Promise<string> | undefined;
      if (text === undefined) return implementation(this.read((request as StringValue).value), own);
      return text.then((json) => implementation(this.read(json), own));
    };
    if (methodKind === "unary" || methodKind === "client_streaming") {
      return async (request, context) => this.write(await call(request, context), context);
    }
    return (request, context) => this.writeAll(call(request, context) as AsyncIterable<unknown>, context);
  }

  private read(value: string): Message {
    const { input } = this.method;
    let message: Message;
    try {
      // As Connect has it, if nothing is said.
      message = readJson(input, value, { ignoreUnknownFields: true, ...this.options });
    } catch (error) {
      throw refusedJson(error);
    }
    const missing = missingRequired(input, message);
    if (missing !== undefined) throw lacking(missing);
    return message;
  }

  private async *readAll(texts: AsyncIterable<StringValue>): AsyncIterable<Message> {
    for await (const { value } of texts) yield this.read(value);
  }

  private async write(message: unknown, { signal, values }: HandlerContext): Promise<{ value: string }> {
    const { output } = this.method;
    try {
      const pieces = new JsonPieces(output, createMessage(output, message as never), this.options);
      const first = pieces.next();
      if (pieces.isDone) return { value: first };
      const parts = [Buffer.from(first)];
      while (!pieces.isDone) {
        await setImmediate();
        parts.push(Buffer.from(pieces.next()));
      }
      const name = `@${++largeTextsWritten}`;
      if (!signal.aborted) {
        largeTexts.set(name, Buffer.concat(parts));
        // Connect aborts it at the end of each call, also of one whose answer it drops.
        onAbort(signal, () => largeTexts.delete(name));
      }
      return { value: name };
    } catch (error) {
      const fault = error instanceof LoneSurrogateError ? error.in(output, message as object) : error;
      throw values.get(explains)(ConnectError.from(fault, Code.Internal));
    }
  }

  private async *writeAll(messages: AsyncIterable<unknown>, context: HandlerContext): AsyncIterable<{ value: string }> {
    for await (const message of messages) yield await this.write(message, context);
  }
}
