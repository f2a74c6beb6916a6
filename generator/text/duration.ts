/** Formats seconds: 75 -> "1m15s". */
export function duration(seconds: number): string {
  const parts = [
    [Math.floor(seconds / 86_400), "d"],
    [Math.floor(seconds / 3_600) % 24, "h"],
    [Math.floor(seconds / 60) % 60, "m"],
    [seconds % 60, "s"],
  ] as const;
  const first = parts.findIndex(([value]) => value > 0);
  return first === -1
    ? "0s"
    : parts
        .slice(first, first + 2)
        .map(([value, unit]) => `${value}${unit}`)
        .join("");
}
