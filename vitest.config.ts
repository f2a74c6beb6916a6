import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { defineConfig, type TestProjectInlineConfiguration } from "vitest/config";
import { SlowFirst } from "./scripts/slow-first.js";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** Tests of one kind. Kinds are told apart by how their files' names end; those of `unit` end on `.test.ts` alone. */
function project(
  name: "unit" | "e2e" | "integration" | "browser",
  options: TestProjectInlineConfiguration["test"],
): TestProjectInlineConfiguration {
  return {
    resolve: {
      // The same names as `paths` in tsconfig.json: tests run from sources, never from what was built.
      alias: [
        { find: /^@protoscaffold\/runtime\/codegen\/options\/(.*)\.js$/, replacement: here("./runtime/options/$1.ts") },
        { find: /^@protoscaffold\/runtime\/(.*)$/, replacement: here("./runtime/$1.ts") },
        { find: /^@shop\/generated\/(.*)\.js$/, replacement: here("./generated/$1.ts") },
        { find: /^protoscaffold\/(.*)$/, replacement: here("./generator/$1.ts") },
      ],
    },
    test: {
      name,
      include: [`{generator,runtime,examples,bench}/**/*.${name}.test.ts`],
      exclude: ["**/node_modules/**", "**/dist/**"],
      globalSetup: ["./generator/testing/setup.ts"],
      // Nothing waits this long; a busy machine may.
      testTimeout: 120_000,
      hookTimeout: 120_000,
      ...options,
    },
  };
}

export default defineConfig({
  test: {
    // Many tests wait, for processes of their own or for time to pass: meanwhile another file has the core.
    maxWorkers: 2 * availableParallelism(),
    sequence: { sequencer: SlowFirst },
    // What runs unless `--project` names another kind: `vitest run runtime/data` leads to no load, engine or browser. Vitest
    // reads this, and has it in its types as an option of the command line only.
    ...{ project: ["unit"] },
    projects: [
      project("unit", {
        include: ["{generator,runtime,examples,bench,scripts}/**/*.test.ts"],
        exclude: ["**/node_modules/**", "**/dist/**", "**/*.{e2e,integration,browser}.test.ts"],
      }),
      // Long ways through the tool, packages from the registry included: not part of `npm test`, which needs no network.
      project("e2e", {
        fileParallelism: false,
        // One step leads to the next.
        bail: 1,
        // Once more: some say how long an innocent caller waits beside an attack, and one moment of a busy machine must not decide that.
        retry: 1,
        testTimeout: 300_000,
        hookTimeout: 300_000,
      }),
      // With what npm does not bring: Redis, Apache Kafka, RabbitMQ, and the public suites of Go. They find it on the PATH, or
      // say that it is missing. The suites give each of their calls a few seconds, which are to be spent on that call.
      project("integration", { fileParallelism: false }),
      // The pages, in Debian's Chromium.
      project("browser", {}),
    ],
  },
});
