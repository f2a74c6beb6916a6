import { create } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { createNativeTransport } from "../../../grpc/client-transport.js";
import {
  addHeaders,
  conformanceService,
  type Dynamic,
  enumName,
  messageType,
  readMessages,
  toHeaderList,
  unpack,
  writeMessage,
} from "./schema.js";

/** The client that connectconformance tests: it makes each call as it is told, and says what came of it. */

const sleep = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

interface Result {
  responseHeaders: object[];
  responseTrailers: object[];
  payloads: object[];
  error?: object;
  numUnsentRequests: number;
}

async function run(asked: Dynamic): Promise<Result> {
  const isTls = asked.serverTlsCert.length > 0;
  const transport = createNativeTransport(`${isTls ? "https" : "http"}://${asked.host}:${asked.port}`, {
    compress: enumName("Compression", asked.compression) === "COMPRESSION_GZIP",
    ...(asked.messageReceiveLimit > 0 ? { readMaxBytes: asked.messageReceiveLimit } : {}),
    ...(isTls
      ? {
          tls: {
            ca: Buffer.from(asked.serverTlsCert),
            ...(asked.clientTlsCreds
              ? { cert: Buffer.from(asked.clientTlsCreds.cert), key: Buffer.from(asked.clientTlsCreds.key) }
              : {}),
          },
        }
      : {}),
  });
  const result: Result = { responseHeaders: [], responseTrailers: [], payloads: [], numUnsentRequests: 0 };
  try {
    await call(asked, transport, result);
  } catch (thrown) {
    const error = ConnectError.from(thrown);
    result.error = {
      code: error.code,
      message: error.rawMessage,
      details: error.details.flatMap((detail) =>
        "type" in detail ? [{ typeUrl: `type.googleapis.com/${detail.type}`, value: detail.value }] : [],
      ),
    };
    if (result.responseHeaders.length === 0) result.responseHeaders = toHeaderList(error.metadata);
    if (result.responseTrailers.length === 0) result.responseTrailers = toHeaderList(error.metadata);
  } finally {
    transport.close();
  }
  return result;
}

async function call(
  asked: Dynamic,
  transport: ReturnType<typeof createNativeTransport>,
  result: Result,
): Promise<void> {
  const method = conformanceService.methods.find(({ name }) => name === asked.method);
  if (method === undefined) throw new ConnectError(`no method ${asked.method}`, Code.Unimplemented);
  const header = new Headers();
  addHeaders(asked.requestHeaders, header);
  const requests: Dynamic[] = asked.requestMessages.map(unpack);
  const controller = new AbortController();
  const cancel = asked.cancel?.cancelTiming as { case?: string; value?: number } | undefined;
  const cancelLater = () => {
    if (cancel === undefined || (cancel.case !== "afterCloseSendMs" && cancel.case !== undefined)) return;
    setTimeout(() => controller.abort(), cancel.value ?? 0);
  };
  const told = (message: Dynamic) => {
    result.payloads.push(message.payload ?? {});
  };
  const timeoutMs: number | undefined = asked.timeoutMs;

  if (method.methodKind === "unary") {
    await sleep(asked.requestDelayMs);
    cancelLater();
    const answer = await transport.unary(method as never, controller.signal, timeoutMs, header, requests[0] as never);
    result.responseHeaders = toHeaderList(answer.header);
    result.responseTrailers = toHeaderList(answer.trailer);
    told(answer.message as Dynamic);
    return;
  }

  // One request for each answer that was read, where both sides speak in turn.
  const isFullDuplex = enumName("StreamType", asked.streamType) === "STREAM_TYPE_FULL_DUPLEX_BIDI_STREAM";
  let sent = 0;
  let read: () => void = () => undefined;
  async function* input() {
    for (const request of requests) {
      await sleep(asked.requestDelayMs);
      const answered = new Promise<void>((resolve) => {
        read = resolve;
      });
      sent++;
      yield request;
      if (isFullDuplex) await answered;
    }
    if (cancel?.case === "beforeCloseSend") {
      controller.abort();
      await new Promise(() => undefined);
    }
    cancelLater();
  }
  try {
    const answer = await transport.stream(method as never, controller.signal, timeoutMs, header, input() as never);
    result.responseHeaders = toHeaderList(answer.header);
    try {
      let count = 0;
      for await (const message of answer.message) {
        told(message as Dynamic);
        count++;
        read();
        if (cancel?.case === "afterNumResponses" && count === cancel.value) controller.abort();
      }
      read();
      if (method.methodKind === "client_streaming" && count !== 1) {
        throw new ConnectError(`${count} answers to a client stream`, Code.Unimplemented);
      }
    } finally {
      read();
      result.responseTrailers = toHeaderList(answer.trailer);
    }
  } catch (error) {
    if (method.methodKind === "client_streaming") result.payloads = [];
    throw error;
  } finally {
    result.numUnsentRequests = method.methodKind === "bidi_streaming" ? requests.length - sent : 0;
  }
}

const responseType = messageType("ClientCompatResponse");
/** So few at a time that each has a processor to itself: the suite's deadlines are of wall clocks. */
const AT_ONCE = 2;
const running = new Set<Promise<void>>();
for await (const asked of readMessages(messageType("ClientCompatRequest"))) {
  const one: Promise<void> = run(asked)
    .then((value) => {
      const answered = { testName: asked.testName, result: { case: "response", value } };
      return writeMessage(responseType, create(responseType, answered as never));
    })
    .finally(() => running.delete(one));
  running.add(one);
  if (running.size >= AT_ONCE) await Promise.race(running);
}
await Promise.all(running);
