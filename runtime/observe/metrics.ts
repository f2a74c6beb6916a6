import { Counter, Gauge, Histogram, Registry } from "prom-client";

/** What a service counts, for those who watch it: `GET /metrics` on its own port, in Prometheus' text format. */
export class Metrics {
  readonly #registry = new Registry();
  readonly #up = this.#gauge("scaffold_database_up", "Whether the database takes writes: 1, or 0 during an outage.");
  readonly #failovers = this.#counter(
    "scaffold_database_failovers_total",
    "Changes of the primary server, by promotion.",
  );
  readonly #stale = this.#counter("scaffold_stale_answers_total", "Answers with rows that could not be read anew.");
  readonly #queued = this.#gauge(
    "scaffold_deferred_writes_queued",
    "Writes in the journal that are still to be applied.",
  );
  readonly #deferred = this.#counter(
    "scaffold_deferred_writes_accepted_total",
    "Writes that were put into the journal.",
  );
  readonly #applied = this.#counter(
    "scaffold_deferred_writes_applied_total",
    "Writes from the journal that were applied.",
  );
  readonly #dead = this.#counter("scaffold_deferred_writes_dead_total", "Writes from the journal that were refused.");

  readonly #published = this.#counter("scaffold_events_published_total", "Events that the broker took.", ["topic"]);
  readonly #lost = this.#counter("scaffold_events_lost_total", "Events that the broker refuses for good.", ["topic"]);
  readonly #repeated = this.#counter("scaffold_events_repeated_total", "Events that came again, to no effect.", [
    "topic",
  ]);
  readonly #failed = this.#counter("scaffold_events_failed_total", "Tries to handle an event that failed.", ["topic"]);
  readonly #buried = this.#counter("scaffold_events_dead_total", "Events that went to the dead letters.", ["topic"]);
  readonly #waiting = this.#gauge("scaffold_events_waiting", "Events that wait for a try, or behind one that does.");
  readonly #letters = this.#gauge("scaffold_events_dead_letters", "Events that are among the dead letters.");
  readonly #lag = this.#gauge("scaffold_events_lag", "Events of a topic that are still before this group.", ["topic"]);
  readonly #missing = this.#gauge(
    "scaffold_events_missing",
    "Events that never reached this group, and cannot any more.",
    ["topic"],
  );
  readonly #outbox = this.#gauge("scaffold_outbox_depth", "Events that were published, and the broker has not yet.");
  readonly #latency: Histogram = new Histogram({
    name: "scaffold_events_latency_seconds",
    help: "From the publication of an event to the end of its handling.",
    labelNames: ["topic"],
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600],
    registers: [this.#registry],
  });
  readonly #sagas = this.#gauge("scaffold_sagas", "Sagas in the database that have not ended, by state.", ["state"]);
  readonly #stuck = this.#gauge(
    "scaffold_sagas_stuck",
    "Sagas in the database that have failed to go on many times, or do not fit the contract.",
  );
  readonly #started = this.#counter("scaffold_sagas_started_total", "Sagas that were started.");
  readonly #ended = this.#counter("scaffold_sagas_ended_total", "Sagas that have ended, by how.", ["outcome"]);
  readonly #removed = this.#counter(
    "scaffold_sagas_removed_total",
    "Ended sagas that were removed, their time being over.",
  );

  /** @param service the service's short name, on every series */
  constructor(service: string) {
    this.#registry.setDefaultLabels({ service });
  }

  databaseUp(up: boolean): void {
    this.#up.set(up ? 1 : 0);
  }

  failover(): void {
    this.#failovers.inc();
  }

  staleAnswer(): void {
    this.#stale.inc();
  }

  queued(count: number): void {
    this.#queued.set(count);
  }

  deferred(): void {
    this.#deferred.inc();
  }

  applied(): void {
    this.#applied.inc();
  }

  dead(): void {
    this.#dead.inc();
  }

  eventPublished(topic: string): void {
    this.#published.inc({ topic });
  }

  /** The broker will never take it. */
  eventLost(topic: string): void {
    this.#lost.inc({ topic });
  }

  /** @param seconds since it was published, if that is known */
  eventHandled(topic: string, seconds: number | undefined): void {
    if (seconds !== undefined) this.#latency.observe({ topic }, seconds);
  }

  eventRepeated(topic: string): void {
    this.#repeated.inc({ topic });
  }

  eventFailed(topic: string): void {
    this.#failed.inc({ topic });
  }

  eventDead(topic: string): void {
    this.#buried.inc({ topic });
  }

  eventsWaiting(waiting: number, dead: number): void {
    this.#waiting.set(waiting);
    this.#letters.set(dead);
  }

  eventsLag(topic: string, lag: number): void {
    this.#lag.set({ topic }, lag);
  }

  eventsMissing(topic: string, events: number): void {
    this.#missing.set({ topic }, events);
  }

  outboxDepth(events: number): void {
    this.#outbox.set(events);
  }

  sagas({ running, compensating, stuck }: { running: number; compensating: number; stuck: number }): void {
    this.#sagas.set({ state: "running" }, running);
    this.#sagas.set({ state: "compensating" }, compensating);
    this.#stuck.set(stuck);
  }

  sagaStarted(): void {
    this.#started.inc();
  }

  sagaEnded(outcome: "completed" | "compensated"): void {
    this.#ended.inc({ outcome });
  }

  sagasRemoved(count: number): void {
    this.#removed.inc(count);
  }

  /** Prometheus' text format (https://prometheus.io/docs/instrumenting/exposition_formats/). */
  text(): Promise<string> {
    return this.#registry.metrics();
  }

  #gauge(name: string, help: string, labelNames: string[] = []): Gauge {
    return new Gauge({ name, help, labelNames, registers: [this.#registry] });
  }

  #counter(name: string, help: string, labelNames: string[] = []): Counter {
    return new Counter({ name, help, labelNames, registers: [this.#registry] });
  }
}
