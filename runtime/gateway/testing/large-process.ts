import { monitorEventLoopDelay } from "node:perf_hooks";
import type { ServiceImpl } from "@connectrpc/connect";
import { createLogger } from "../../observe/log.js";
import { createServerAdapter } from "../../server/adapter.js";
import { listen } from "../../server/listen.js";
import { readGatewayEnvironment } from "../environment.js";
import { startGateway } from "../start.js";
import { KindService } from "./kinds.js";

/**
 * One half of a system with large answers, as a process of its own: the service, or, given its URL, the gateway before it.
 * Says its URL to its parent, and, whenever asked, the longest turn of its event loop since it was asked last.
 */
const [, , service] = process.argv;

const shapes: Record<string, (size: number) => object> = {
  bytes: (size) => ({ data: new Uint8Array(size).fill(200) }),
  text: (size) => ({ items: [{ longName: "ü😀".repeat(size / 6) }] }),
  list: (size) => ({ tags: Array.from({ length: size / 10 }, (_, i) => `tag ${i}`) }),
  map: (size) => ({ labels: Object.fromEntries(Array.from({ length: size / 20 }, (_, i) => [`label ${i}`, `${i}`])) }),
};

/** `tags` names a shape, `small` its size in bytes. */
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
