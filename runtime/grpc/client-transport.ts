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

/** The options of a native transport to one address. */
export interface NativeTransportOptions extends ChannelOptions, CompressionChoice {
  /** Chooses the connection of each call. Default: a channel to the address, with the other options. */
  readonly dispatcher?: Dispatcher;
  /** The maximum size of a response message in bytes. Default: 64 MiB. */
  readonly readMaxBytes?: number;
}

/** A Connect transport that owns its connections. */
export interface NativeTransport extends Transport {
  /** Calls `done` once the stream of every call that was cancelled before has been reset, or has ended. */
  afterResets(done: () => void): void;
  /** Closes the connections of its dispatcher. */
  close(): void;
}

type HeaderInit = Parameters<Transport["unary"]>[3];

/** The maximum size of a response message by default, in bytes. */
export const MAX_RESPONSE_BYTES = 64 * 1024 * 1024;

/** Returns a transport for Connect's clients over the native gRPC implementation: `createClient(OrderService, transport)`. */
export function createNativeTransport(baseUrl: string, options: NativeTransportOptions = {}): NativeTransport {
  const url = new URL(baseUrl);
  const dispatcher = options.dispatcher ?? new Channel(url.origin, options);
  const prefix = url.pathname.replace(/\/+$/, "");
  const setups = new Map<DescMethod, MethodSetup>();
  const compressionOf = clientCompression(options);

  return {
    unary(method, signal, timeoutMs, header, input) {
      const setup = setupOf(method, signal, timeoutMs, header);
      return new Promise<UnaryResponse<typeof method.input, typeof method.output>>((resolve, reject) => {
        const responded = (message: unknown, call: ClientCall) =>
          resolve(new NativeResponse(method, call, false, message) as never);
        new UnaryClientCall(setup, input, responded, reject).start();
      });
    },
    stream(method, signal, timeoutMs, header, input) {
      const setup = setupOf(method, signal, timeoutMs, header);
      return new Promise<StreamResponse<typeof method.input, typeof method.output>>((resolve, reject) => {
        const begun = (call: StreamClientCall) =>
          resolve(new NativeResponse(method, call, true, call.responses) as never);
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
    const { head, input, output, compression } = methodSetupOf(method);
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

  /** Returns the values that all calls of a method share. */
  function methodSetupOf(method: DescMethod): MethodSetup {
    let setup = setups.get(method);
    if (setup === undefined) {
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
      setup = { head, input: codecOf(method.input), output: codecOf(method.output), compression };
      setups.set(method, setup);
    }
    return setup;
  }
}

/** Returns the head of a call with a deadline or metadata. */
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

interface MethodSetup {
  readonly head: ConstantBlock;
  readonly input: Codec;
  readonly output: Codec;
  readonly compression: ClientCompression;
}

/** A response as Connect's clients expect it. Headers and trailers are created on access. */
class NativeResponse {
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
