import type { ConnectRouter, HandlerContext } from "@connectrpc/connect";
import { CallContext } from "../call/call-context.js";
import type { Context } from "../call/context.js";
import { type Handle, IncomingCall } from "../call/incoming-call.js";
import { own } from "../codec/message.js";
import { ConnectCall } from "../connect/connect-call.js";
import { responseMinBytes } from "../grpc/method-compression.js";
import type { MethodPolicy } from "../spec/policy.js";
import type { ServiceSpec } from "../spec/service.js";
import { type ServerChainOptions, serverChain } from "./chain.js";
import { type ServedMethod, servedMethod } from "./served-method.js";

/** A handler as a user writes it, its types forgotten. */
type Handler = (request: unknown, context: Context) => unknown;

/**
 * Puts the handlers of a service behind the stages that its calls go through, as routes.
 *
 * @throws Error if a method has no handler
 */
export function handlerRoutes(
  { service, policy, name }: Pick<ServiceSpec, "service" | "policy" | "name">,
  handlers: object,
  options: ServerChainOptions,
): (router: ConnectRouter) => void {
  const routes = service.methods.map((method) => {
    const handler = own(handlers as Record<string, Handler>, method.localName)?.bind(handlers);
    if (handler === undefined) throw new Error(`${service.name}.${method.localName} has no handler: write one`);
    const rules: MethodPolicy = own(policy, method.localName) ?? {};
    const served = servedMethod(method, rules, name, options.propagation);
    const handle = serverChain(served, (call) => handler(call.request, call.context), options);
    const compressMinBytes = responseMinBytes(rules.compression);
    return [
      method,
      implementation(served, handle),
      compressMinBytes === undefined ? {} : { compressMinBytes },
    ] as const;
  });
  return (router) => {
    for (const [method, implement, more] of routes) router.rpc(method as never, implement as never, more);
  };
}

/** A method as routers take it: the native server calls it with its own call, Connect with a context. */
function implementation({ method, policy, propagation, answersMany }: ServedMethod, handle: Handle) {
  return (request: unknown, from: IncomingCall | HandlerContext): unknown => {
    if (from instanceof IncomingCall) {
      from.request = request;
      from.context = new CallContext(from, policy, propagation);
      return handle(from);
    }
    const call = new ConnectCall(from, method, policy, request, propagation);
    return answersMany ? call.runStream(handle) : call.run(handle);
  };
}
