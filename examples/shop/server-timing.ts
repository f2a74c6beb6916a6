/** One entry of a Server-Timing header (https://www.w3.org/TR/server-timing/). */
export interface Entry {
  readonly name: string;
  readonly description: string | undefined;
  readonly ms: number;
}

/** Reads a Server-Timing header, in its order. */
export function parseServerTiming(header: string): Entry[] {
  return [...header.matchAll(/([\w.-]+)(?:;desc="((?:[^"\\]|\\.)*)")?;dur=([\d.]+)/g)].map(
    ([, name = "", description, ms]) => ({
      name,
      description,
      ms: Number(ms),
    }),
  );
}
