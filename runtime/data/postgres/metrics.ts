import { type Counter, type Gauge, type Meter, silentMeter } from "../../observe/telemetry.js";

/** What the nodes of a database count. */
export class PostgresMetrics {
  readonly up: Gauge;
  readonly failovers: Counter;

  /** @param meter Default: nothing is counted */
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
