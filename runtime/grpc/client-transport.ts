import type { DescMethod } from "@bufbuild/protobuf";
import type { StreamResponse, Transport, UnaryResponse } from "@connectrpc/connect";
import type { Dispatcher } from "../call/dispatcher.js";
import type { Codec } from "../codec/codec.js";
import { codecOf } from "../codec/known.js";
import { ConstantBlock, type FieldList } from "../http2/hpack-encoder.js";
import { Channel, type ChannelOptions } from "./channel.js";
import type { CallSetup, ClientCall } from "./client-call.js";
import { appendMetadata } from "./metadata.js";
import { type ClientCompression, type CompressionChoice, clientCompression } from "./method-compression.js";
import { StreamClientCall } from "./stream-client-call.js";
import { formatTimeout } from "./timeout.js";
import { UnaryClientCall } from "./unary-client-call.js";

/** How calls to one address are made. */
export interface NativeTransportOptions extends ChannelOptions, CompressionChoice {
  /** Chooses the connection of each call. Default: a channel to the address, made by the other options. */
  readonly dispatcher?: Dispatcher;
  /** The maximum size of a response message in bytes. Default: 64 MiB. */
  readonly readMaxBytes?: number;
}

/** A transport that has connections to close. */
export interface NativeTransport extends Transport {
  /** Calls `done` once every call that has been given up by now has been reset, or has ended. */
  afterResets(done: () => void): void;
  /** Closes the connections of its dispatcher. */
  close(): void;
}

type HeaderInit = Parameters<Transport["unary"]>[3];

/** The longest response that a client reads by default, in bytes. */
export const MAX_RESPONSE_BYTES = 64 * 1024 * 1024;

/** Calls over HTTP/2 and gRPC of our own, as Connect's clients take them: `createClient(OrderService, transport)`. */
export function createNativeTransport(baseUrl: string, options: NativeTransportOptions = {}): NativeTransport {
  const url = new URL(baseUrl);
  const dispatcher = options.dispatcher ?? new Channel(url.origin, options);
  const prefix = url.pathname.replace(/\/+$/, "");
  const calls = new Map<DescMethod, Known>();
  const compressionOf = clientCompression(options);

  return {
    unary(method, signal, timeoutMs, header, input) {
      const setup = setupOf(method, signal, timeoutMs, header);
      return new Promise<UnaryResponse<typeof method.input, typeof method.output>>((resolve, reject) => {
        const answered = (message: unknown, call: ClientCall) =>
          resolve(new Answer(method, call, false, message) as never);
        new UnaryClientCall(setup, input, answered, reject).start();
      });
    },
    stream(method, signal, timeoutMs, header, input) {
      const setup = setupOf(method, signal, timeoutMs, header);
      return new Promise<StreamResponse<typeof method.input, typeof method.output>>((resolve, reject) => {
        const begun = (call: StreamClientCall) => resolve(new Answer(method, call, true, call.responses) as never);
        new StreamClientCall(setup, input, begun, reject).start();
      });
    },
    afterResets: (done) => dispatcher.afterResets(done),
    close: () => dispatcher.close(),
  };

  function setupOf(
    method: DescMethod,
    signal: AbortSignal | undefined,
    timeoutMs: number | undefined,
    header: HeaderInit,
  ): CallSetup {
    const timeout = timeoutMs !== undefined && timeoutMs > 0 ? timeoutMs : undefined;
    const { head, input, output, compression } = knownOf(method);
    return {
      dispatcher,
      method,
      head: timeout === undefined && header === undefined ? head : fieldsOf(head, timeout, header),
      input,
      output,
      timeoutMs: timeout,
      signal,
      compression,
      readMaxBytes: options.readMaxBytes ?? MAX_RESPONSE_BYTES,
    };
  }

  /** The values that all calls of a method share. */
  function knownOf(method: DescMethod): Known {
    let known = calls.get(method);
    if (known === undefined) {
      const compression = compressionOf(method);
      const head = new ConstantBlock([
        ":method",
        "POST",
        ":scheme",
        url.protocol.slice(0, -1),
        ":path",
        `${prefix}/${method.parent.typeName}/${method.name}`,
        ":authority",
        url.host,
        "te",
        "trailers",
        "content-type",
        "application/grpc+proto",
        "user-agent",
        "protoscaffold",
        ...(compression.isGzip ? ["grpc-accept-encoding", "gzip", "grpc-encoding", "gzip"] : []),
      ]);
      known = { head, input: codecOf(method.input), output: codecOf(method.output), compression };
      calls.set(method, known);
    }
    return known;
  }
}

/** The head of a call that has a deadline or metadata of its own. */
function fieldsOf(head: ConstantBlock, timeoutMs: number | undefined, header: HeaderInit): FieldList {
  const metadata = header === undefined ? undefined : header instanceof Headers ? header : new Headers(header);
  const fields = metadata?.has("user-agent") ? without(head.fields, "user-agent") : [...head.fields];
  if (timeoutMs !== undefined) fields.push("grpc-timeout", formatTimeout(timeoutMs));
  if (metadata !== undefined) appendMetadata(fields, metadata);
  return fields;
}

function without(fields: FieldList, name: string): string[] {
  const at = fields.indexOf(name);
  return [...fields.slice(0, at), ...fields.slice(at + 2)];
}

interface Known {
  readonly head: ConstantBlock;
  readonly input: Codec;
  readonly output: Codec;
  readonly compression: ClientCompression;
}

/** The response for Connect's clients; headers and trailers are created on access. */
class Answer {
  readonly service: DescMethod["parent"];

  constructor(
    readonly method: DescMethod,
    private readonly call: ClientCall,
    readonly stream: boolean,
    readonly message: unknown,
  ) {
    this.service = method.parent;
  }

  get header(): Headers {
    return this.call.responseHeader();
  }

  get trailer(): Headers {
    return this.call.responseTrailer();
  }
}
