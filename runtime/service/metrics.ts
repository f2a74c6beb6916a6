import { CacheMetrics } from "../data/cache/metrics.js";
import { PostgresMetrics } from "../data/postgres/metrics.js";
import { EventMetrics } from "../events/metrics.js";
import { JournalMetrics } from "../journal/metrics.js";
import type { Meter } from "../observe/telemetry.js";
import { SagaMetrics } from "../saga/metrics.js";

/** What a service counts. Every service exports all of these series, so that dashboards need not know what it consists of. */
export class ServiceMetrics {
  readonly database: PostgresMetrics;
  readonly cache: CacheMetrics;
  readonly journal: JournalMetrics;
  readonly events: EventMetrics;
  readonly sagas: SagaMetrics;

  constructor(meter: Meter) {
    this.database = new PostgresMetrics(meter);
    this.cache = new CacheMetrics(meter);
    this.journal = new JournalMetrics(meter);
    this.events = new EventMetrics(meter);
    this.sagas = new SagaMetrics(meter);
  }
}
