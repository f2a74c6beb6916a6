import { create } from "@bufbuild/protobuf";
import {
  type Code,
  ConnectError,
  type ConnectRouter,
  type HandlerContext,
  type ServiceImpl,
} from "@connectrpc/connect";
import { createServerAdapter } from "../../adapter.js";
import { listen } from "../../listen.js";
import {
  addHeaders,
  conformanceService,
  type Dynamic,
  details,
  messageType,
  pack,
  readMessages,
  registry,
  toHeaderList,
  writeMessage,
} from "./schema.js";

/** The server that connectconformance tests: it answers as each request says it should. */

const RequestInfo = messageType("ConformancePayload.RequestInfo");
const sleep = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

function infoOf(context: HandlerContext, requests: readonly Dynamic[]): Dynamic {
  const timeoutMs = context.timeoutMs();
  const query = context.requestMethod === "GET" ? new URL(context.url).searchParams : undefined;
  return create(RequestInfo, {
    requestHeaders: toHeaderList(context.requestHeader),
    timeoutMs: timeoutMs === undefined ? undefined : BigInt(Math.floor(timeoutMs)),
    requests: requests.map(pack),
    connectGetInfo: query && { queryParams: [...query].map(([name, value]) => ({ name, value: [value] })) },
  } as never) as Dynamic;
}

function failure(error: Dynamic, info: Dynamic | undefined): ConnectError {
  const told = new ConnectError(error.message ?? "", error.code as Code);
  told.details = details([...error.details, ...(info === undefined ? [] : [pack(info)])]);
  return told;
}

async function one(requests: readonly Dynamic[], context: HandlerContext): Promise<object> {
  const definition = requests[0]?.responseDefinition as Dynamic | undefined;
  const info = infoOf(context, requests);
  if (definition === undefined) return { payload: { requestInfo: info } };
  addHeaders(definition.responseHeaders, context.responseHeader);
  addHeaders(definition.responseTrailers, context.responseTrailer);
  await sleep(definition.responseDelayMs);
  if (definition.response.case === "error") throw failure(definition.response.value, info);
  return { payload: { requestInfo: info, data: definition.response.value ?? new Uint8Array() } };
}

async function* many(requests: AsyncIterable<Dynamic>, context: HandlerContext): AsyncGenerator<object> {
  let definition: Dynamic | undefined;
  let isFullDuplex = false;
  let isFirst = true;
  let received: Dynamic[] = [];
  let sent = 0;
  for await (const request of requests) {
    received.push(request);
    if (isFirst) {
      definition = request.responseDefinition;
      isFullDuplex = request.fullDuplex ?? false;
      isFirst = false;
      addHeaders(definition?.responseHeaders ?? [], context.responseHeader);
      addHeaders(definition?.responseTrailers ?? [], context.responseTrailer);
    }
    if (!isFullDuplex) continue;
    if (sent >= (definition?.responseData.length ?? 0)) break;
    const requestInfo =
      sent === 0 ? infoOf(context, received) : create(RequestInfo, { requests: received.map(pack) } as never);
    await sleep(definition?.responseDelayMs ?? 0);
    yield { payload: { data: definition?.responseData[sent], requestInfo } };
    sent++;
    received = [];
  }
  if (definition === undefined) return;
  for (; sent < definition.responseData.length; sent++) {
    await sleep(definition.responseDelayMs);
    const requestInfo = sent === 0 ? infoOf(context, received) : undefined;
    yield { payload: { data: definition.responseData[sent], requestInfo } };
  }
  if (definition.error) throw failure(definition.error, sent === 0 ? infoOf(context, received) : undefined);
}

async function* only(request: Dynamic): AsyncGenerator<Dynamic> {
  yield request;
}

const implementation = {
  unary: (request: Dynamic, context: HandlerContext) => one([request], context),
  idempotentUnary: (request: Dynamic, context: HandlerContext) => one([request], context),
  async clientStream(requests: AsyncIterable<Dynamic>, context: HandlerContext) {
    const all: Dynamic[] = [];
    for await (const request of requests) all.push(request);
    return one(all, context);
  },
  serverStream: (request: Dynamic, context: HandlerContext) => many(only(request), context),
  bidiStream: many,
};

for await (const asked of readMessages(messageType("ServerCompatRequest"))) {
  const handlers = createServerAdapter({
    routes: (router: ConnectRouter) =>
      router.service(conformanceService, implementation as unknown as ServiceImpl<typeof conformanceService>),
    ...(asked.messageReceiveLimit > 0 ? { readMaxBytes: asked.messageReceiveLimit } : {}),
    jsonOptions: { registry },
    transport: process.env.RPC_TRANSPORT === "node" ? "node" : "native",
  });
  const { cert, key } = asked.serverCreds ?? {};
  const clients = { ca: Buffer.from(asked.clientTlsCert), requestCert: true, rejectUnauthorized: true };
  const tls = { cert: Buffer.from(cert ?? []), key: Buffer.from(key ?? []) };
  const listener = await listen({
    ...handlers,
    host: "127.0.0.1",
    port: 0,
    ...(asked.useTls ? { tls: asked.clientTlsCert.length > 0 ? { ...tls, ...clients } : tls } : {}),
  });
  const type = messageType("ServerCompatResponse");
  const told = { host: "127.0.0.1", port: listener.port, pemCert: asked.useTls ? cert : new Uint8Array() };
  writeMessage(type, create(type, told as never));
}
