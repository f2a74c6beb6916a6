/** Adds up what happens. */
export interface Counter {
  /** @param amount at least 0; default 1 */
  add(amount?: number): void;
}

/** A value that goes up and down. */
export interface Gauge {
  set(value: number): void;
}

/** The distribution of values, such as durations. */
export interface Histogram {
  record(value: number): void;
}

/** An instrument with labels. A hot path keeps the series that it feeds. */
export interface Labelled<Series, Label extends string> {
  with(labels: Readonly<Record<Label, string>>): Series;
}

/** How a series is declared, by the subsystem that feeds it. */
export interface Declaration {
  /** As Prometheus asks for: a counter's name ends with `_total`, one in seconds with `_seconds`. */
  readonly name: string;
  /** One sentence for the people who watch it. */
  readonly help: string;
  /** In UCUM, as in OpenTelemetry: `s`, `By`, `1`, or the things that are counted in braces: `{event}`. */
  readonly unit: string;
  readonly labels?: undefined;
}

export interface LabelledDeclaration<Label extends string> extends Omit<Declaration, "labels"> {
  readonly labels: readonly Label[];
}

/** The upper bounds of a histogram's buckets, ascending. */
export interface Buckets {
  readonly bounds: readonly number[];
}

/**
 * Makes the instruments of a process. The same declaration twice is the same instrument.
 *
 *     const published = meter.counter({ name: "…_total", help: "…", unit: "{event}", labels: ["topic"] });
 *     published.with({ topic }).add();
 *
 * Each method throws an Error if the name is declared already, in another way.
 */
export interface Meter {
  counter(declaration: Declaration): Counter;
  counter<L extends string>(declaration: LabelledDeclaration<L>): Labelled<Counter, L>;
  gauge(declaration: Declaration): Gauge;
  gauge<L extends string>(declaration: LabelledDeclaration<L>): Labelled<Gauge, L>;
  histogram(declaration: Declaration & Buckets): Histogram;
  histogram<L extends string>(declaration: LabelledDeclaration<L> & Buckets): Labelled<Histogram, L>;
}

/** What is known of an instrument, for exporters and the reference page. */
export interface Instrument {
  readonly kind: "counter" | "gauge" | "histogram";
  readonly name: string;
  readonly help: string;
  readonly unit: string;
  readonly labels: readonly string[];
  /** Of a histogram. */
  readonly bounds?: readonly number[] | undefined;
}

/** What is served at `GET /metrics`. */
export interface Exposition {
  readonly contentType: string;
  /** Returns all series with their values. */
  text(): Promise<string>;
}

/** The telemetry of one process. */
export interface Telemetry extends Meter, Exposition {
  /** In the order of their declarations. */
  readonly instruments: readonly Instrument[];
}

const ignored = () => undefined;
const series: Counter & Gauge & Histogram = { add: ignored, set: ignored, record: ignored };
const silent = { ...series, with: () => series };

/** Makes instruments that count nothing. */
export const silentMeter: Meter = { counter: () => silent, gauge: () => silent, histogram: () => silent };
