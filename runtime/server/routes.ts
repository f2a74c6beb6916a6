import type { DescMethod, DescService } from "@bufbuild/protobuf";
import { Code, ConnectError, type ConnectRouter, type ConnectRouterOptions } from "@connectrpc/connect";
import { answersText } from "../call/answer-text.js";
import { codecOf } from "../codec/known.js";
import { withEncodingNegotiation } from "../connect/accept-encoding.js";
import { opaqueImplementation, withBinaryRequests } from "../connect/binary-requests.js";
import { withJsonCodec } from "../connect/json-handlers.js";
import { withoutLongTimeouts } from "../connect/long-timeouts.js";
import { opaqueMethod } from "../connect/opaque-messages.js";
import { withRefusalText } from "../connect/refusal-text.js";
import { readMessage } from "../grpc/frame.js";
import { COMPRESS_MIN_BYTES } from "../grpc/gzip.js";
import { MAX_REQUEST_BYTES, ResponseSize, type Route } from "../grpc/route.js";

type UniversalHandler = ConnectRouter["handlers"][number];

/** What is served: by path, as in `/shop.orders.v1.OrderService/GetOrder`. */
export interface Routes {
  /** Methods that are answered over gRPC without Connect. */
  readonly native: ReadonlyMap<string, Route>;
  /** Every method, as Connect answers it. */
  readonly connect: ReadonlyMap<string, UniversalHandler>;
}

type Implementation = Route["implementation"];

/**
 * Registers routes with Connect's own router, which was made with `options`, and keeps each method's implementation as
 * well. A service that asks Connect for more than that, such as interceptors, is left to Connect altogether.
 */
export function recordRoutes(
  register: (router: ConnectRouter) => void,
  router: ConnectRouter,
  options: ConnectRouterOptions,
): Routes {
  const native = new Map<string, Route>();
  const recorder: ConnectRouter = {
    handlers: router.handlers,
    service(service, implementation, more) {
      for (const method of (service as DescService).methods) {
        const handler = (implementation as Record<string, Implementation | undefined>)[method.localName];
        record(method, handler?.bind(implementation) ?? unimplemented(method), more);
      }
      return recorder;
    },
    rpc(method, implementation, more) {
      record(method, implementation as Implementation, more);
      return recorder;
    },
  };
  register(recorder);
  return { native, connect: new Map(router.handlers.map((handler) => [handler.requestPath, handler])) };

  function record(method: DescMethod, implementation: Implementation, more: ConnectRouterOptions = {}) {
    const all = { ...options, ...more };
    const path = `/${method.parent.typeName}/${method.name}`;
    recordConnect(method, implementation, more, all);
    native.delete(path);
    if (!isPlain(all)) return;
    native.set(path, {
      method,
      implementation,
      input: codecOf(method.input),
      output: codecOf(method.output),
      readMaxBytes: all.readMaxBytes ?? MAX_REQUEST_BYTES,
      responseSize: new ResponseSize(),
      compressMinBytes: all.compressMinBytes ?? COMPRESS_MIN_BYTES,
    });
  }

  function recordConnect(
    method: DescMethod,
    implementation: Implementation,
    more: ConnectRouterOptions,
    all: ConnectRouterOptions,
  ) {
    const isConnects = isReadByConnect(all);
    const exact = answersText(method, implementation, isConnects);
    const { handlers } = router;
    if (isConnects) {
      router.rpc(method as never, exact as never, more);
      handlers[handlers.length - 1] = withRefusalText(withEncodingNegotiation(handlers.at(-1)!, all));
      return;
    }
    router.rpc(opaqueMethod(method) as never, opaqueImplementation(method, exact) as never, more);
    const input = codecOf(method.input);
    const read = (bytes: Uint8Array) => readMessage(input, bytes, 0, bytes.length, Code.InvalidArgument);
    const reads = withJsonCodec(withBinaryRequests(handlers.at(-1)!, read, all), method, exact, all);
    handlers[handlers.length - 1] = withRefusalText(withoutLongTimeouts(withEncodingNegotiation(reads, all)));
  }
}

/** Whether interceptors, which see each request as Connect read it, or options of Connect's own reader are asked for. */
function isReadByConnect({ interceptors, binaryOptions }: ConnectRouterOptions): boolean {
  return (interceptors?.length ?? 0) > 0 || binaryOptions !== undefined;
}

/** Whether nothing is asked for that only Connect's own handlers do. */
function isPlain({ grpc, interceptors, binaryOptions, maxTimeoutMs, writeMaxBytes }: ConnectRouterOptions): boolean {
  return (
    grpc !== false &&
    !interceptors?.length &&
    binaryOptions === undefined &&
    maxTimeoutMs === undefined &&
    writeMaxBytes === undefined
  );
}

/** Without a reason in the details: Connect's conformance suite wants the error of a method that is not implemented bare. */
function unimplemented(method: DescMethod): Implementation {
  return () => {
    throw new ConnectError(`${method.parent.typeName}.${method.name} is not implemented`, Code.Unimplemented);
  };
}
