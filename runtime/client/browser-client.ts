import type { DescService } from "@bufbuild/protobuf";
import { type Client, createClient, type Interceptor } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-web";
import { keepTextExact } from "../codec/exact-text.js";
import type { ServicePolicy } from "../spec/policy.js";

/** How a page reaches a gateway. */
export interface BrowserClientOptions {
  /** The gateway's origin: `location.origin` for a page that the gateway serves. */
  readonly baseUrl: string;
  /** Run around every call, first the first. */
  readonly interceptors?: Interceptor[];
  /** In place of the page's own fetch: to add credentials, say. */
  readonly fetch?: typeof globalThis.fetch;
}

/** Calls a service over gRPC-Web, each call bounded as its contract says unless the caller says otherwise. */
export function createBrowserClient<S extends DescService>(
  service: S,
  policy: ServicePolicy<S>,
  options: BrowserClientOptions,
): Client<S> {
  keepTextExact();
  const timeouts = new Map(
    service.methods.map((method) => [method, policy[method.localName as keyof S["method"]]?.timeoutMs]),
  );
  const transport = createGrpcWebTransport(options);
  return createClient(service, {
    unary: (method, signal, timeoutMs, header, message, contextValues) =>
      transport.unary(method, signal, timeoutMs ?? timeouts.get(method), header, message, contextValues),
    stream: (method, signal, timeoutMs, header, input, contextValues) =>
      transport.stream(method, signal, timeoutMs ?? timeouts.get(method), header, input, contextValues),
  });
}
