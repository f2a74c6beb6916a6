import { create } from "@bufbuild/protobuf";
import { type Timestamp, TimestampSchema } from "@bufbuild/protobuf/wkt";
import { UnkeepableError } from "./unkeepable-error.js";

// The range of google.protobuf.Timestamp: 0001-01-01T00:00:00Z to 9999-12-31T23:59:59Z, inclusive.
const EARLIEST = -62_135_596_800n;
const LATEST = 253_402_300_799n;

/** Matches PostgreSQL's text form of a timestamp in any session time zone: `0001-12-31 19:03:58.5-04:56:02 BC`. */
const text = /^(\d{4,})-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?([+-])(\d\d)(?::(\d\d))?(?::(\d\d))?( BC)?$/;

/** Parses PostgreSQL's text form of a `timestamptz`. */
export function parseTimestamp(value: string): Timestamp {
  const match = text.exec(value);
  if (match === null) throw new RangeError(`"${value}" is no instant that google.protobuf.Timestamp can hold`);
  const [, year, month, day, hour, minute, second, fraction = "", sign, ...offset] = match;
  const date = new Date(0);
  // 1 BC is year 0. Use setUTCFullYear, because Date.UTC takes years below 100 as 19xx.
  date.setUTCFullYear(match[12] === undefined ? Number(year) : 1 - Number(year), Number(month) - 1, Number(day));
  date.setUTCHours(Number(hour), Number(minute), Number(second));
  const [hours = 0, minutes = 0, seconds = 0] = offset.slice(0, 3).map((part) => Number(part ?? 0));
  const east = (sign === "-" ? -1 : 1) * (hours * 3600 + minutes * 60 + seconds);
  return create(TimestampSchema, {
    seconds: BigInt(date.getTime() / 1000 - east),
    nanos: Number(fraction.padEnd(6, "0")) * 1000,
  });
}

/** Returns why google.protobuf.Timestamp cannot hold this, or undefined. */
export function timestampFault({ seconds, nanos }: Pick<Timestamp, "seconds" | "nanos">): string | undefined {
  if (seconds < EARLIEST || seconds > LATEST) {
    return "is a timestamp whose seconds are out of range: use 0001-01-01T00:00:00Z to 9999-12-31T23:59:59Z";
  }
  if (!(nanos >= 0 && nanos < 1_000_000_000)) {
    return "is a timestamp whose nanos are out of range: use 0 to 999999999";
  }
  return undefined;
}

/**
 * Returns a timestamp in PostgreSQL's text form. PostgreSQL has microseconds; finer digits are truncated.
 *
 * @throws UnkeepableError if it is outside google.protobuf.Timestamp's range
 */
export function formatTimestamp(timestamp: Timestamp): string {
  const fault = timestampFault(timestamp);
  if (fault !== undefined) throw new UnkeepableError(`a column ${fault}`);
  const date = new Date(Number(timestamp.seconds) * 1000).toISOString().slice(0, 19);
  const micros = Math.trunc(timestamp.nanos / 1000);
  return `${date}.${String(micros).padStart(6, "0")}Z`;
}
