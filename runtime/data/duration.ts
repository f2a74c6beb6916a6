import { create } from "@bufbuild/protobuf";
import { type Duration, DurationSchema } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";

const SECOND = 1_000_000_000n;
// google.protobuf.Duration's own bound: about 10,000 years, either way.
const LONGEST = 315_576_000_000n;

/** Reads a number of nanoseconds. */
export function parseDuration(nanoseconds: string): Duration {
  const all = BigInt(nanoseconds);
  return create(DurationSchema, { seconds: all / SECOND, nanos: Number(all % SECOND) });
}

/**
 * The nanoseconds of a duration.
 *
 * @throws ConnectError INVALID_ARGUMENT if it is out of google.protobuf.Duration's range, or if its parts are of
 *   different signs, for then nobody says which is meant
 */
export function formatDuration({ seconds, nanos }: Duration): string {
  if (seconds < -LONGEST || seconds > LONGEST || Math.abs(nanos) >= Number(SECOND)) {
    throw new ConnectError(
      `a duration of ${seconds} seconds and ${nanos} nanoseconds is out of range: use ±${LONGEST} seconds, ±999999999 nanoseconds`,
      Code.InvalidArgument,
    );
  }
  if ((seconds < 0n && nanos > 0) || (seconds > 0n && nanos < 0)) {
    throw new ConnectError(
      `a duration of ${seconds} seconds and ${nanos} nanoseconds has two signs: use one`,
      Code.InvalidArgument,
    );
  }
  return String(seconds * SECOND + BigInt(nanos));
}
