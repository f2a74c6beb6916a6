import { defineConfig, mergeConfig } from "vitest/config";
import base from "./vitest.config.js";

/** Long ways through the tool, packages from the registry included: not part of `npm test`, which needs no network. */
export default mergeConfig(
  { ...base, test: { ...base.test, include: [], exclude: [] } },
  defineConfig({
    test: {
      include: ["{generator,runtime,examples,bench}/**/*.walk.test.ts"],
      exclude: ["**/node_modules/**", "**/dist/**"],
      fileParallelism: false,
      // One step leads to the next.
      bail: 1,
      // Some say how long an innocent caller waits beside an attack: what else a machine does in one moment must not decide that.
      retry: 2,
      testTimeout: 300_000,
      hookTimeout: 300_000,
    },
  }),
);
