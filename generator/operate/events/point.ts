import type { Point } from "./operations.js";

const BEGINNING = "beginning";
// RFC 3339, section 5.6.
const rfc3339 = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/;

/** Matches a time in RFC 3339 format. */
export function parseTime(option: string, text: string): Date {
  const time = new Date(rfc3339.test(text) ? text : Number.NaN);
  if (!Number.isNaN(time.getTime())) return time;
  throw new Error(`${option} ${text} is not a time: write it like ${new Date(0).toISOString()}`);
}

/** Parses `beginning`, a time, or a position. The beginning is the oldest event that is kept. */
export function parsePoint(option: string, text: string): Point {
  if (text === BEGINNING && option === "--from") return { position: "0" };
  if (/^[1-9]\d{0,17}$/.test(text)) return { position: text };
  const time = new Date(rfc3339.test(text) ? text : Number.NaN);
  if (!Number.isNaN(time.getTime())) return { time };
  const beginning = option === "--from" ? `${BEGINNING}, ` : "";
  throw new Error(
    `${option} ${text} is not a place among events: write ${beginning}a time like ${new Date(0).toISOString()}, or a position like 1042`,
  );
}
