import { expect, test } from "vitest";
import { createTelemetry } from "../observe/prometheus.js";
import { ServiceMetrics } from "./metrics.js";

const telemetry = createTelemetry("orders");
new ServiceMetrics(telemetry);

test.each(telemetry.instruments)("$name is named as Prometheus asks, and its help is one sentence", (instrument) => {
  const { kind, name, unit, help } = instrument;
  expect(name).toMatch(/^scaffold_[a-z]+(_[a-z]+)*$/);
  expect(name.endsWith("_total")).toBe(kind === "counter");
  expect(name.endsWith("_seconds")).toBe(unit === "s");
  expect(help).toMatch(/^[A-Z1][^.]*\.$/);
});
