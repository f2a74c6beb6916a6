import { type Counter, type Meter, silentMeter } from "../../observe/telemetry.js";

/** The metrics of the row cache. */
export class CacheMetrics {
  readonly staleResponses: Counter;

  /** @param meter Default: no metrics */
  constructor(meter: Meter = silentMeter) {
    this.staleResponses = meter.counter({
      name: "scaffold_stale_answers_total",
      help: "Responses with cached rows that could not be reloaded.",
      unit: "{response}",
    });
  }
}
