import { isDeepStrictEqual } from "node:util";
import prometheus from "prom-client";
import type {
  Buckets,
  Counter,
  Declaration,
  Gauge,
  Histogram,
  Instrument,
  Labelled,
  LabelledDeclaration,
  Telemetry,
} from "./telemetry.js";

type Labels = Readonly<Record<string, string>>;
type AnyDeclaration = (Declaration | LabelledDeclaration<string>) & Partial<Buckets>;
type Made<Series> = Series | Labelled<Series, string>;

interface Configuration {
  readonly name: string;
  readonly help: string;
  readonly labelNames: readonly string[];
  readonly registers: prometheus.Registry[];
}

/**
 * Returns the telemetry of a process, exposed in Prometheus' text format
 * (https://prometheus.io/docs/instrumenting/exposition_formats/).
 *
 * @param service the service's short name, the label `service` of every series
 */
export function createTelemetry(service: string): Telemetry {
  return new PrometheusTelemetry(service);
}

class PrometheusTelemetry implements Telemetry {
  readonly #registry = new prometheus.Registry();
  readonly #declared = new Map<string, { readonly instrument: Instrument; readonly made: unknown }>();

  constructor(service: string) {
    this.#registry.setDefaultLabels({ service });
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  get instruments(): readonly Instrument[] {
    return [...this.#declared.values()].map(({ instrument }) => instrument);
  }

  text(): Promise<string> {
    return this.#registry.metrics();
  }

  counter(declaration: Declaration): Counter;
  counter<L extends string>(declaration: LabelledDeclaration<L>): Labelled<Counter, L>;
  counter(declaration: AnyDeclaration): Made<Counter> {
    return this.#declare<Counter>("counter", declaration, (configuration) => {
      const counter = new prometheus.Counter(configuration);
      return (labels) => ({ add: (amount = 1) => counter.inc(labels, amount) });
    });
  }

  gauge(declaration: Declaration): Gauge;
  gauge<L extends string>(declaration: LabelledDeclaration<L>): Labelled<Gauge, L>;
  gauge(declaration: AnyDeclaration): Made<Gauge> {
    return this.#declare<Gauge>("gauge", declaration, (configuration) => {
      const gauge = new prometheus.Gauge(configuration);
      return (labels) => ({ set: (value) => gauge.set(labels, value) });
    });
  }

  histogram(declaration: Declaration & Buckets): Histogram;
  histogram<L extends string>(declaration: LabelledDeclaration<L> & Buckets): Labelled<Histogram, L>;
  histogram(declaration: AnyDeclaration & Buckets): Made<Histogram> {
    return this.#declare<Histogram>("histogram", declaration, (configuration) => {
      const histogram = new prometheus.Histogram({ ...configuration, buckets: [...declaration.bounds] });
      return (labels) => ({ record: (value) => histogram.observe(labels, value) });
    });
  }

  /** @param make makes the instrument, and returns what makes a series of it */
  #declare<Series>(
    kind: Instrument["kind"],
    { name, help, unit, labels, bounds }: AnyDeclaration,
    make: (configuration: Configuration) => (labels: Labels) => Series,
  ): Made<Series> {
    const instrument: Instrument = { kind, name, help, unit, labels: labels ?? [], bounds };
    const before = this.#declared.get(name);
    if (before !== undefined) {
      if (isDeepStrictEqual(before.instrument, instrument)) return before.made as Made<Series>;
      throw new Error(`the series ${name} is declared twice, in different ways`);
    }
    const seriesOf = make({ name, help, labelNames: instrument.labels, registers: [this.#registry] });
    const made: Made<Series> = labels === undefined ? seriesOf({}) : { with: seriesOf };
    this.#declared.set(name, { instrument, made });
    return made;
  }
}
