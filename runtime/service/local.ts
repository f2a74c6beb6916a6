import { type ConnectRouter, createRouterTransport, type Transport } from "@connectrpc/connect";

/**
 * Calls services of this process, without a network.
 *
 * @param routes called at the first call: what calls and what is called may be made of each other
 */
export function localTransport(routes: () => (router: ConnectRouter) => void): Transport {
  let made: Transport | undefined;
  const transport = () => {
    made ??= createRouterTransport(routes());
    return made;
  };
  return {
    unary: (...call) => transport().unary(...call),
    stream: (...call) => transport().stream(...call),
  };
}
