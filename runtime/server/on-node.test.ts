import { describe } from "vitest";

/** The suites that run on our own transport by default run on connect-node as well: handlers must not see a difference. */
process.env.RPC_TRANSPORT = "node";
describe.each(["client", "deadline", "health", "listen", "reflection"])("over connect-node: %s", async (name) => {
  await import(`./${name}.test.ts`);
});
