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
import { checkVersion, takeDecodedQuery, withDecodedQuery } from "./binary-requests.js";
import { errorExplainer } from "./error-explainer.js";

/** A handler in the form of Connect's router: takes one request or an iterable of requests, and the call's context. */
type Implementation = (request: unknown, context: HandlerContext) => unknown;

/**
 * Returns a handler that uses the runtime's JSON codec for calls in JSON: Connect, gRPC-Web and gRPC with a JSON content type, and
 * Connect's GET. All other calls go to `handler`.
 *
 * Connect accepts no custom codec. JSON calls therefore have a second handler, whose messages are google.protobuf.StringValue to
 * Connect. Each string is the JSON text of a message. On the wire, Connect expects a string's JSON form, which is quoted:
 * `jsonTexts` adds the quotes to requests, and removes them from responses.
 *
 * @param options the options of `handler`
 */
export function withJsonCodec(
  handler: UniversalHandler,
  method: DescMethod,
  implementation: Implementation,
  options: ConnectRouterOptions,
): UniversalHandler {
  const json = jsonHandler(method, implementation, options);
  const handle = (request: Parameters<UniversalHandler>[0]) => {
    if (!isJson(request)) return handler(request);
    return json(request.method === "GET" ? withDecodedQuery(request, readText, options, "json") : request);
  };
  return Object.assign(handle, { ...handler });
}

const jsonType = /^application\/(?:(?:connect|grpc|grpc-web)\+)?json\s*(?:;|$)/i;

function isJson({ method, url, header }: Parameters<UniversalHandler>[0]): boolean {
  // Connect parses the query in the same way: any letter may be percent-encoded.
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

/** Options of Connect's JSON serialization, which are missing in the type of `jsonOptions`. */
const jsonTexts = {
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
 * Texts that took more than one turn of the event loop to write, from then until Connect serializes them. Connect gets a key
 * in place of such a text. A key is not valid JSON, and so never equal to a text.
 */
const largeTexts = new Map<string, Uint8Array>();
let largeTextsWritten = 0;

function jsonHandler(method: DescMethod, implementation: Implementation, options: ConnectRouterOptions) {
  const json = new JsonMethod(method, options.jsonOptions);
  const asTexts = { ...method, input: StringValueSchema, output: StringValueSchema } as DescMethod;
  const { jsonOptions } = options;
  return createConnectRouter({ ...options, jsonOptions: { ...jsonOptions, ...jsonTexts } }).rpc(
    asTexts,
    json.implementationOf(implementation) as MethodImpl<DescMethod>,
  ).handlers[0]!;
}

/** Reads and writes the messages of a method as JSON texts. */
class JsonMethod {
  constructor(
    private readonly method: DescMethod,
    private readonly options: ConnectRouterOptions["jsonOptions"],
  ) {}

  /** Returns the implementation for Connect, whose messages are JSON texts. */
  implementationOf(implementation: Implementation): (request: unknown, context: HandlerContext) => unknown {
    const { method } = this;
    const { methodKind } = method;
    const isOne = methodKind === "unary" || methodKind === "server_streaming";
    const call = (request: unknown, context: HandlerContext) => {
      checkVersion(context);
      const own = Object.assign(context, { method });
      if (!isOne) return implementation(this.readAll(request as AsyncIterable<StringValue>), own);
      const text = takeDecodedQuery(context) as Promise<string> | undefined;
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
      // Connect's default.
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
      const key = `@${++largeTextsWritten}`;
      if (!signal.aborted) {
        largeTexts.set(key, Buffer.concat(parts));
        // Connect aborts the signal at the end of each call, even if it drops the response.
        onAbort(signal, () => largeTexts.delete(key));
      }
      return { value: key };
    } catch (error) {
      const fault = error instanceof LoneSurrogateError ? error.in(output, message as object) : error;
      throw values.get(errorExplainer)(ConnectError.from(fault, Code.Internal));
    }
  }

  private async *writeAll(messages: AsyncIterable<unknown>, context: HandlerContext): AsyncIterable<{ value: string }> {
    for await (const message of messages) yield await this.write(message, context);
  }
}
