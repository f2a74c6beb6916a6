import { create } from "@bufbuild/protobuf";
import { type Duration, DurationSchema } from "@bufbuild/protobuf/wkt";
import { UnkeepableError } from "./unkeepable-error.js";

const SECOND = 1_000_000_000n;
// google.protobuf.Duration's own bound: about 10,000 years, either way.
const LONGEST = 315_576_000_000n;

/** Reads a number of nanoseconds. */
export function parseDuration(nanoseconds: string): Duration {
  const all = BigInt(nanoseconds);
  return create(DurationSchema, { seconds: all / SECOND, nanos: Number(all % SECOND) });
}

/** Why google.protobuf.Duration cannot hold this; undefined: it can. With parts of different signs nobody says which is meant. */
export function durationFault({ seconds, nanos }: Pick<Duration, "seconds" | "nanos">): string | undefined {
  if (!(seconds >= -LONGEST && seconds <= LONGEST && Math.abs(nanos) < Number(SECOND))) {
    return `is a duration out of range: use ±${LONGEST} seconds, ±999999999 nanos`;
  }
  if ((seconds < 0n && nanos > 0) || (seconds > 0n && nanos < 0)) return "is a duration of two signs: use one";
  return undefined;
}

/**
 * The nanoseconds of a duration.
 *
 * @throws UnkeepableError if google.protobuf.Duration cannot hold it
 */
export function formatDuration(duration: Duration): string {
  const fault = durationFault(duration);
  if (fault !== undefined) throw new UnkeepableError(`a column ${fault}`);
  return String(duration.seconds * SECOND + BigInt(duration.nanos));
}
