import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  resolve: {
    // The same names as `paths` in tsconfig.json: tests run from sources, never from what was built.
    alias: [
      { find: /^@protoscaffold\/runtime\/options\/(.*)\.js$/, replacement: here("./runtime/options/$1.ts") },
      { find: /^@protoscaffold\/runtime\/(.*)$/, replacement: here("./runtime/$1.ts") },
      { find: /^@shop\/generated\/(.*)\.js$/, replacement: here("./generated/$1.ts") },
      { find: /^protoscaffold\/(.*)$/, replacement: here("./generator/$1.ts") },
    ],
  },
  test: {
    include: ["{generator,runtime,examples,bench}/**/*.test.ts"],
    exclude: ["**/node_modules/**", "**/dist/**", "**/*.browser.test.ts", "**/*.walk.test.ts", "**/*.engines.test.ts"],
    globalSetup: ["./generator/testing/setup.ts"],
    // Most tests wait for processes of their own; vitest would leave one core idle.
    maxWorkers: "100%",
    // Nothing waits this long; a busy machine may.
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
