import { BaseSequencer, type TestSpecification } from "vitest/node";

/** The test files that take ten seconds or more, by the report of slowest.ts. */
export const slowFiles: readonly string[] = [
  "generator/cli/events.test.ts",
  "examples/shop/orders/place-order.test.ts",
  "examples/shop/shop.test.ts",
  "examples/shop/orders/sagas.test.ts",
  "runtime/events/missing.test.ts",
  "examples/shop/readme.test.ts",
  "runtime/events/metrics.test.ts",
  "generator/evolve/evolution.test.ts",
  "generator/cli/generate.test.ts",
  "runtime/saga/engine.test.ts",
  "generator/dev/running.test.ts",
  "runtime/data/standard.wire.test.ts",
  "generator/dev/stopping.test.ts",
  "generator/cli/regenerate.test.ts",
  "generator/cli/breaking.test.ts",
  "runtime/events/postgres.test.ts",
  "runtime/events/operate.test.ts",
  "generator/cli/call.test.ts",
  "runtime/data/failover.test.ts",
  "generator/any-contract.test.ts",
  "generator/cli/check.test.ts",
  "generator/evolve/shape.test.ts",
  "generator/dev/postgres.test.ts",
  "generator/cli/new-service.test.ts",
];

/** Starts slow files first: one that started last would run alone. Vitest itself goes by size until it knows durations. */
export class SlowFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) => {
      const position = slowFiles.findIndex((name) => moduleId.endsWith(`/${name}`));
      return position === -1 ? slowFiles.length : position;
    };
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b));
  }
}
