const units: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 1e-3, n: 1e-6 };

/** Parses a `grpc-timeout`. Returns milliseconds, or undefined if it is invalid (gRPC over HTTP/2, "Timeout"). */
export function parseTimeout(text: string): number | undefined {
  const unit = units[text.slice(-1)];
  const digits = text.slice(0, -1);
  return unit !== undefined && /^\d{1,8}$/.test(digits) ? Number(digits) * unit : undefined;
}

/** Formats milliseconds as a `grpc-timeout`, in the finest unit in which the value has at most eight digits. */
export function formatTimeout(milliseconds: number): string {
  const whole = Math.max(0, Math.ceil(milliseconds));
  if (whole < 1e8) return `${whole}m`;
  if (whole < 1e11) return `${Math.ceil(whole / 1_000)}S`;
  if (whole < 6e12) return `${Math.ceil(whole / 60_000)}M`;
  return `${Math.min(99_999_999, Math.ceil(whole / 3_600_000))}H`;
}
