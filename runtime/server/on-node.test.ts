import { describe } from "vitest";

/** The suites that run on the native transport by default run on connect-node as well: handlers see no difference. */
process.env.RPC_TRANSPORT = "node";
const suites: Readonly<Record<string, () => Promise<unknown>>> = {
  client: () => import("../client/client.test.js"),
  deadline: () => import("./deadline.test.js"),
  health: () => import("./health.test.js"),
  listen: () => import("./listen.test.js"),
  reflection: () => import("./reflection.test.js"),
};
describe.each(Object.keys(suites))("over connect-node: %s", (name) => suites[name]!() as never);
