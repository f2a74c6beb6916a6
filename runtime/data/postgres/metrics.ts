import { type Counter, type Gauge, type Meter, silentMeter } from "../../observe/telemetry.js";

/** The metrics of a database's nodes. */
export class PostgresMetrics {
  readonly up: Gauge;
  readonly failovers: Counter;

  /** @param meter Default: no metrics */
  constructor(meter: Meter = silentMeter) {
    this.up = meter.gauge({
      name: "scaffold_database_up",
      help: "1 while a PostgreSQL node accepts writes, 0 during an outage.",
      unit: "1",
    });
    this.failovers = meter.counter({
      name: "scaffold_database_failovers_total",
      help: "Failovers to another primary.",
      unit: "{failover}",
    });
  }
}
