/** Seconds and nanoseconds of a google.protobuf.Timestamp or google.protobuf.Duration. */
export interface Instant {
  readonly seconds: bigint;
  readonly nanos: number;
}

const timestamp =
  /^([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]+))?(?:Z|([+-])([0-9]{2}):([0-9]{2}))$/;
const duration = /^(-?)([0-9]+)(?:\.([0-9]+))?s$/;

// The range of google.protobuf.Timestamp.
const EARLIEST = Date.parse("0001-01-01T00:00:00Z") / 1000;
const LATEST = Date.parse("9999-12-31T23:59:59Z") / 1000;
/** The range of google.protobuf.Duration: ten thousand years, in seconds. */
const LONGEST = 315_576_000_000;

/**
 * Parses an RFC 3339 timestamp with any offset. It must exist: 30 February, hour 24 and leap seconds, which google.protobuf.Timestamp
 * does not have, are refused.
 *
 * @returns the instant; or, as a string, the reason why it is invalid
 */
export function parseInstant(text: string): Instant | string {
  const match = timestamp.exec(text);
  if (match === null) return `is no instant of RFC 3339, such as "2026-01-31T12:00:00Z"`;
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const [, , , , , , , fraction = "", sign, ...offset] = match;
  const [offsetHours = 0, offsetMinutes = 0] = sign === undefined ? [] : offset.map(Number);
  if (month < 1 || month > 12 || day < 1 || day > daysOf(year, month)) return "is a date that does not exist";
  if (hour > 23 || minute > 59) return "is a time that does not exist: write 00:00:00 to 23:59:59";
  if (second > 59) return "is a time that does not exist here: there are no leap seconds, write 23:59:59";
  if (offsetHours > 23 || offsetMinutes > 59) return "has an offset that does not exist: write -23:59 to +23:59";
  if (fraction.length > 9) return "has more than nine decimals: an instant is precise to the nanosecond";
  const date = new Date(0);
  // Date.UTC takes years below 100 as 19xx.
  date.setUTCFullYear(year, month - 1, day);
  date.setUTCHours(hour, minute, second);
  const east = (sign === "-" ? -1 : 1) * (offsetHours * 3600 + offsetMinutes * 60);
  const seconds = date.getTime() / 1000 - east;
  if (seconds < EARLIEST || seconds > LATEST) {
    return "is out of range: an instant is from 0001-01-01T00:00:00Z to 9999-12-31T23:59:59.999999999Z";
  }
  return { seconds: BigInt(seconds), nanos: Number(fraction.padEnd(9, "0")) };
}

function daysOf(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

/** Parses a duration in seconds, such as `1.5s`. Returns a string with the reason if it is invalid. */
export function parseDurationText(text: string): Instant | string {
  const match = duration.exec(text);
  if (match === null) return `is no duration in seconds, such as "1.5s"`;
  const [, sign, whole, fraction = ""] = match;
  if (fraction.length > 9) return "has more than nine decimals: a duration is precise to the nanosecond";
  const seconds = Number(whole);
  if (seconds > LONGEST) return `is out of range: a duration is from -${LONGEST}s to ${LONGEST}s`;
  const nanos = Number(fraction.padEnd(9, "0"));
  // Avoids -0.
  return sign === "-" ? { seconds: BigInt(-seconds), nanos: 0 - nanos } : { seconds: BigInt(seconds), nanos };
}
