/** One entry of a Server-Timing header (https://www.w3.org/TR/server-timing/). */
export interface Entry {
  readonly name: string;
  readonly description: string | undefined;
  readonly ms: number;
}

/** Returns the entries of a Server-Timing header in their order. */
export function parseServerTiming(header: string): Entry[] {
  return [...header.matchAll(/([\w.-]+)(?:;desc="((?:[^"\\]|\\.)*)")?;dur=([\d.]+)/g)].map(
    ([, name = "", description, ms]) => ({
      name,
      description,
      ms: Number(ms),
    }),
  );
}
