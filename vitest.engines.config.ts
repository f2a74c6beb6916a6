import { defineConfig, mergeConfig } from "vitest/config";
import base from "./vitest.config.js";

/**
 * Tests with what npm does not bring: Redis, Apache Kafka, and the public suites of Go. They find it on the PATH, or say
 * that it is missing.
 */
export default mergeConfig(
  { ...base, test: { ...base.test, include: [], exclude: [] } },
  defineConfig({
    test: {
      include: ["{generator,runtime,examples}/**/*.engines.test.ts"],
      exclude: ["**/node_modules/**", "**/dist/**"],
      // The public suites give each of their calls a few seconds, which are to be spent on that call.
      fileParallelism: false,
    },
  }),
);
