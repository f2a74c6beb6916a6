import { create } from "@bufbuild/protobuf";
import { type Duration, DurationSchema } from "@bufbuild/protobuf/wkt";
import { UnkeepableError } from "./unkeepable-error.js";

const SECOND = 1_000_000_000n;
// The range of google.protobuf.Duration: about 10,000 years in either direction.
const LONGEST = 315_576_000_000n;

/** Returns the duration of a number of nanoseconds. */
export function parseDuration(nanoseconds: string): Duration {
  const all = BigInt(nanoseconds);
  return create(DurationSchema, { seconds: all / SECOND, nanos: Number(all % SECOND) });
}

/** Returns why google.protobuf.Duration cannot hold this, or undefined. Parts of different signs are ambiguous. */
export function durationFault({ seconds, nanos }: Pick<Duration, "seconds" | "nanos">): string | undefined {
  if (!(seconds >= -LONGEST && seconds <= LONGEST && Math.abs(nanos) < Number(SECOND))) {
    return `is a duration out of range: use ±${LONGEST} seconds, ±999999999 nanos`;
  }
  if ((seconds < 0n && nanos > 0) || (seconds > 0n && nanos < 0)) return "is a duration of two signs: use one";
  return undefined;
}

/**
 * Returns a duration in nanoseconds.
 *
 * @throws UnkeepableError if google.protobuf.Duration cannot hold it
 */
export function formatDuration(duration: Duration): string {
  const fault = durationFault(duration);
  if (fault !== undefined) throw new UnkeepableError(`a column ${fault}`);
  return String(duration.seconds * SECOND + BigInt(duration.nanos));
}
