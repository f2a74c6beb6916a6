import { type Counter, type Meter, silentMeter } from "../../observe/telemetry.js";

/** What the cache of rows counts. */
export class CacheMetrics {
  readonly staleResponses: Counter;

  /** @param meter Default: nothing is counted */
  constructor(meter: Meter = silentMeter) {
    this.staleResponses = meter.counter({
      name: "scaffold_stale_answers_total",
      help: "Responses with cached rows that could not be reloaded.",
      unit: "{response}",
    });
  }
}
