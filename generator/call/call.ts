import type {
  DescMessage,
  DescMethod,
  DescMethodStreaming,
  DescMethodUnary,
  Message,
  Registry,
} from "@bufbuild/protobuf";
import type { Transport } from "@connectrpc/connect";
import { readMessage, readMessages } from "./messages.js";

export interface CallOptions {
  readonly data: readonly string[];
  readonly headers: Headers;
  readonly timeoutMs: number | undefined;
  readonly registry: Registry;
}

/** The parts of a response, in the order of their arrival. */
export interface Receiver {
  header(headers: Headers): void;
  message(schema: DescMessage, message: Message): void;
  trailer(headers: Headers): void;
}

/** Calls a method by its descriptor. Throws the ConnectError that the call ends with. */
export async function call(
  transport: Transport,
  method: DescMethod,
  { data, headers, timeoutMs, registry }: CallOptions,
  receiver: Receiver,
): Promise<void> {
  if (method.methodKind === "unary") {
    const request = await readMessage(data, method, registry);
    const answer = await transport.unary(method as DescMethodUnary, undefined, timeoutMs, headers, request);
    receiver.header(answer.header);
    receiver.message(method.output, answer.message);
    receiver.trailer(answer.trailer);
    return;
  }
  const single = method.methodKind === "server_streaming";
  const requests = new Remembering(
    single ? once(await readMessage(data, method, registry)) : readMessages(data, method, registry),
  );
  try {
    const answer = await transport.stream(method as DescMethodStreaming, undefined, timeoutMs, headers, requests);
    receiver.header(answer.header);
    for await (const message of answer.message) receiver.message(method.output, message);
    receiver.trailer(answer.trailer);
  } catch (error) {
    // The transport reports the cancellation, and not its reason.
    throw requests.error ?? error;
  }
}

/** Yields the items of an iterable, and stores the error that ends it. */
class Remembering<T> implements AsyncIterable<T> {
  error: unknown;

  constructor(private readonly source: AsyncIterable<T>) {}

  async *[Symbol.asyncIterator](): AsyncGenerator<T> {
    try {
      yield* this.source;
    } catch (error) {
      this.error = error;
      throw error;
    }
  }
}

async function* once<T>(value: T): AsyncIterable<T> {
  yield value;
}
