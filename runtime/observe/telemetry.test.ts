import { expect, test } from "vitest";
import { createTelemetry } from "./prometheus.js";

const seen = { name: "birds_seen_total", help: "Birds seen.", unit: "{bird}" };
const sung = { name: "songs_total", help: "Songs heard.", unit: "{song}", labels: ["bird", "season"] } as const;
const height = { name: "nest_height", help: "The height of the nest.", unit: "m" };
const flight = { name: "flight_seconds", help: "The time of a flight.", unit: "s", bounds: [1, 10] };

test("what instruments hold is exposed in Prometheus' text format, with the service on every series", async () => {
  const telemetry = createTelemetry("garden");
  const birds = telemetry.counter(seen);
  birds.add();
  birds.add(2);
  const songs = telemetry.counter(sung);
  const ofBlackbirds = songs.with({ bird: "blackbird", season: "spring" });
  ofBlackbirds.add();
  ofBlackbirds.add(0);
  songs.with({ season: "spring", bird: "blackbird" }).add(4);
  songs.with({ bird: "robin", season: 'a "mild"\nwinter' }).add();
  const nest = telemetry.gauge(height);
  nest.set(7);
  nest.set(3.5);
  const flights = telemetry.histogram(flight);
  for (const seconds of [0.5, 1, 2, 20]) flights.record(seconds);
  expect(telemetry.contentType).toBe("text/plain; version=0.0.4; charset=utf-8");
  expect(await telemetry.text()).toBe(`# HELP birds_seen_total Birds seen.
# TYPE birds_seen_total counter
birds_seen_total{service="garden"} 3

# HELP songs_total Songs heard.
# TYPE songs_total counter
songs_total{bird="blackbird",season="spring",service="garden"} 5
songs_total{bird="robin",season="a \\"mild\\"\\nwinter",service="garden"} 1

# HELP nest_height The height of the nest.
# TYPE nest_height gauge
nest_height{service="garden"} 3.5

# HELP flight_seconds The time of a flight.
# TYPE flight_seconds histogram
flight_seconds_bucket{le="1",service="garden"} 2
flight_seconds_bucket{le="10",service="garden"} 3
flight_seconds_bucket{le="+Inf",service="garden"} 4
flight_seconds_sum{service="garden"} 23.5
flight_seconds_count{service="garden"} 4
`);
});

test("without labels a series is there from the start, at 0; with labels once it has a value", async () => {
  const telemetry = createTelemetry("garden");
  telemetry.counter(seen);
  telemetry.counter(sung);
  telemetry.gauge(height);
  const lines = (await telemetry.text()).split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  expect(lines).toEqual(['birds_seen_total{service="garden"} 0', 'nest_height{service="garden"} 0']);
});

test("the same declaration twice is the same instrument, another one of that name is refused", async () => {
  const telemetry = createTelemetry("garden");
  telemetry.counter(seen).add();
  telemetry.counter({ ...seen }).add();
  expect(await telemetry.text()).toContain('birds_seen_total{service="garden"} 2');
  const refusal = "the series birds_seen_total is declared twice, in different ways";
  expect(() => telemetry.counter({ ...seen, help: "Birds heard." })).toThrow(refusal);
  expect(() => telemetry.counter({ ...seen, labels: ["bird"] })).toThrow(refusal);
  expect(() => telemetry.gauge(seen)).toThrow(refusal);
});

test("instruments are listed as they were declared", () => {
  const telemetry = createTelemetry("garden");
  telemetry.histogram(flight);
  telemetry.counter(sung);
  expect(telemetry.instruments).toEqual([
    { kind: "histogram", ...flight, labels: [] },
    { kind: "counter", ...sung },
  ]);
});

test("two processes' telemetry is apart", async () => {
  const [one, other] = [createTelemetry("one"), createTelemetry("other")];
  one.counter(seen).add();
  other.counter(seen);
  expect(await other.text()).toContain('birds_seen_total{service="other"} 0');
});
