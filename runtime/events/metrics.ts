import type { Counter, Gauge, Histogram, Labelled, Meter } from "../observe/telemetry.js";

type ByTopic<Series> = Labelled<Series, "topic">;

const labels = ["topic"] as const;

/** What publishing and consuming events counts. */
export class EventMetrics {
  readonly published: ByTopic<Counter>;
  readonly lost: ByTopic<Counter>;
  readonly repeated: ByTopic<Counter>;
  readonly failed: ByTopic<Counter>;
  readonly dead: ByTopic<Counter>;
  readonly waiting: Gauge;
  readonly deadLetters: Gauge;
  readonly lag: ByTopic<Gauge>;
  readonly missing: ByTopic<Gauge>;
  readonly outboxDepth: Gauge;
  readonly latency: ByTopic<Histogram>;

  constructor(meter: Meter) {
    const unit = "{event}";
    this.published = meter.counter({
      name: "scaffold_events_published_total",
      help: "Events that the broker acknowledged.",
      unit,
      labels,
    });
    this.lost = meter.counter({
      name: "scaffold_events_lost_total",
      help: "Events that the broker rejected for good.",
      unit,
      labels,
    });
    this.repeated = meter.counter({
      name: "scaffold_events_repeated_total",
      help: "Redelivered events, skipped as duplicates.",
      unit,
      labels,
    });
    this.failed = meter.counter({
      name: "scaffold_events_failed_total",
      help: "Failed attempts to handle an event that will be retried.",
      unit: "{attempt}",
      labels,
    });
    this.dead = meter.counter({
      name: "scaffold_events_dead_total",
      help: "Events that failed for good and became dead letters.",
      unit,
      labels,
    });
    this.waiting = meter.gauge({
      name: "scaffold_events_waiting",
      help: "Events that wait for a retry, or behind an earlier event of their key.",
      unit,
    });
    this.deadLetters = meter.gauge({
      name: "scaffold_events_dead_letters",
      help: "Events that are dead letters now.",
      unit,
    });
    this.lag = meter.gauge({
      name: "scaffold_events_lag",
      help: "Events at the broker that the group has not yet consumed.",
      unit,
      labels,
    });
    this.missing = meter.gauge({
      name: "scaffold_events_missing",
      help: "Events that never reached the group and will not be delivered.",
      unit,
      labels,
    });
    this.outboxDepth = meter.gauge({
      name: "scaffold_outbox_depth",
      help: "Events in the outbox that the broker has not yet acknowledged.",
      unit,
    });
    this.latency = meter.histogram({
      name: "scaffold_events_latency_seconds",
      help: "Time from the publication of an event to the end of its handling.",
      unit: "s",
      labels,
      bounds: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600],
    });
  }
}
