import type { Counter, Gauge, Labelled, Meter } from "../observe/telemetry.js";

/** What the execution of sagas counts. */
export class SagaMetrics {
  readonly unfinished: Labelled<Gauge, "state">;
  readonly stuck: Gauge;
  readonly started: Counter;
  readonly ended: Labelled<Counter, "outcome">;
  readonly removed: Counter;

  constructor(meter: Meter) {
    const unit = "{saga}";
    this.unfinished = meter.gauge({
      name: "scaffold_sagas",
      help: "Sagas in the database that have not ended, by state.",
      unit,
      labels: ["state"],
    });
    this.stuck = meter.gauge({
      name: "scaffold_sagas_stuck",
      help: "Sagas in the database that keep failing, were refused for good, or do not match the contract.",
      unit,
    });
    this.started = meter.counter({
      name: "scaffold_sagas_started_total",
      help: "Sagas that this instance started.",
      unit,
    });
    this.ended = meter.counter({
      name: "scaffold_sagas_ended_total",
      help: "Sagas that this instance ended, by outcome.",
      unit,
      labels: ["outcome"],
    });
    this.removed = meter.counter({
      name: "scaffold_sagas_removed_total",
      help: "Ended sagas that this instance removed after their retention.",
      unit,
    });
  }
}
