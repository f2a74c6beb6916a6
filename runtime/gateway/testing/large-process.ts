import { monitorEventLoopDelay } from "node:perf_hooks";
import type { ServiceImpl } from "@connectrpc/connect";
import { createLogger } from "../../observe/log.js";
import { createServerAdapter } from "../../server/adapter.js";
import { listen } from "../../server/listen.js";
import { readGatewayEnvironment } from "../environment.js";
import { startGateway } from "../start.js";
import { KindService } from "./kinds.js";

/**
 * A process of a system with large responses: the service, or the gateway if the service's URL is given. It sends its URL to its
 * parent. Each message from the parent requests the longest turn of the event loop since the last request.
 */
const [, , service] = process.argv;

const shapes: Record<string, (size: number) => object> = {
  bytes: (size) => ({ data: new Uint8Array(size).fill(200) }),
  text: (size) => ({ items: [{ longName: "ü😀".repeat(size / 6) }] }),
  list: (size) => ({ tags: Array.from({ length: size / 10 }, (_, i) => `tag ${i}`) }),
  map: (size) => ({ labels: Object.fromEntries(Array.from({ length: size / 20 }, (_, i) => [`label ${i}`, `${i}`])) }),
};

/** Returns a response of the shape that `tags` names, and of `small` bytes. */
const echo = ({ tags, small }: { tags: string[]; small: number }) => shapes[tags[0] ?? ""]?.(small) ?? {};

async function start(): Promise<string> {
  if (service === undefined) {
    const handlers = createServerAdapter({
      routes: (router) => router.service(KindService, { echo } as unknown as ServiceImpl<typeof KindService>),
    });
    const { port } = await listen({ ...handlers, host: "127.0.0.1", port: 0 });
    return `http://127.0.0.1:${port}`;
  }
  const kinds = {
    name: "kinds",
    service: KindService,
    policy: {},
    routes: [{ verb: "POST", path: "/v1/echo", body: "*", method: KindService.method.echo! } as const],
    calls: [],
    tables: [],
  };
  const system = { services: [kinds] };
  const env = { PORT: "0", DRAIN_TIMEOUT_MS: "0", KINDS_URL: service };
  const log = createLogger({ name: "gateway", level: "silent" });
  const { port } = await startGateway(system, readGatewayEnvironment(system, env), log);
  return `http://127.0.0.1:${port}`;
}

const url = await start();
const delay = monitorEventLoopDelay({ resolution: 1 });
delay.enable();
process.on("message", () => {
  process.send?.({ longestTurnMs: Math.round(delay.max / 1e6) });
  delay.reset();
});
process.on("disconnect", () => process.exit());
process.send?.({ url });
