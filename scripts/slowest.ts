import { relative } from "node:path";
import pc from "picocolors";
import type { Reporter, TestModule, Vitest } from "vitest/node";

const shown = 10;

/** Ends the report of a run with its slowest files and tests. */
export default class Slowest implements Reporter {
  #vitest?: Vitest;

  onInit(vitest: Vitest): void {
    this.#vitest = vitest;
  }

  onTestRunEnd(modules: readonly TestModule[]): void {
    const root = this.#vitest?.config.root ?? "";
    const path = (module: TestModule) => relative(root, module.moduleId);
    const files = modules.map((module): Timed => {
      const { duration, collectDuration, setupDuration } = module.diagnostic();
      return { name: path(module), ms: duration + collectDuration + setupDuration };
    });
    const tests = modules.flatMap((module) =>
      [...module.children.allTests()].map((test): Timed => {
        return { name: `${path(module)} > ${test.fullName}`, ms: test.diagnostic()?.duration ?? 0 };
      }),
    );
    const lines = [...list("Slowest files, imports included", files), "", ...list("Slowest tests", tests), ""];
    this.#vitest?.logger.log(lines.join("\n"));
  }
}

interface Timed {
  readonly name: string;
  readonly ms: number;
}

function list(title: string, all: readonly Timed[]): string[] {
  const slowest = all.toSorted((a, b) => b.ms - a.ms).slice(0, shown);
  return [
    pc.bold(title),
    ...slowest.map(({ name, ms }) => `${pc.yellow(`${(ms / 1000).toFixed(1)} s`.padStart(8))}  ${name}`),
  ];
}
