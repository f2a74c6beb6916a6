import { describe } from "vitest";

/** The suites that run on our own transport by default run on connect-node as well: handlers must not see a difference. */
process.env.RPC_TRANSPORT = "node";
describe("over connect-node: client", async () => {
  await import("../client/client.test.js");
});
describe.each(["deadline", "health", "listen", "reflection"])("over connect-node: %s", async (name) => {
  await import(`./${name}.test.ts`);
});
