import type { Counter, Gauge, Meter } from "../observe/telemetry.js";

/** The metrics of the journal of deferred writes. */
export class JournalMetrics {
  readonly queued: Gauge;
  readonly accepted: Counter;
  readonly applied: Counter;
  readonly dead: Counter;

  constructor(meter: Meter) {
    this.queued = meter.gauge({
      name: "scaffold_deferred_writes_queued",
      help: "Deferred writes in the journal that are not yet applied.",
      unit: "{write}",
    });
    this.accepted = meter.counter({
      name: "scaffold_deferred_writes_accepted_total",
      help: "Writes accepted into the journal.",
      unit: "{write}",
    });
    this.applied = meter.counter({
      name: "scaffold_deferred_writes_applied_total",
      help: "Deferred writes applied to the database.",
      unit: "{write}",
    });
    this.dead = meter.counter({
      name: "scaffold_deferred_writes_dead_total",
      help: "Deferred writes that were refused when applied, and became dead letters.",
      unit: "{write}",
    });
  }
}
