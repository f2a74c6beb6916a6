import { activeCollectors, collectSpans, type Span, type SpanCollector, timed } from "./span.js";

/** Set to 1 on a request, it asks for the time that each part of the call took. Clients pass it on to the next hop. */
export const timingRequestHeader = "x-server-timing";

/** The response's header with these times (https://www.w3.org/TR/server-timing/). */
export const timingHeader = "server-timing";

/** Collects the spans of one call for its Server-Timing header. */
export class Timing implements SpanCollector {
  readonly #entries: (() => string | undefined)[] = [];

  start(name: string, description?: string): Span {
    const started = performance.now();
    let entry: string | undefined;
    this.#entries.push(() => entry);
    const end = (found?: string) => {
      entry = serverTiming(name, found, performance.now() - started);
    };
    return { end: (found) => end(found ?? description), fail: () => end(description ?? "failed") };
  }

  /** Adds what the next hop measured: the value of its own Server-Timing header. */
  add(header: string | null): void {
    if (header) this.#entries.push(() => header);
  }

  /** The header's value: spans in the order in which they began. Stops before it is too long for an HTTP header. */
  toString(): string {
    let value = "";
    for (const entry of this.#entries) {
      const text = entry();
      // Node.js refuses all headers together above 16 KiB.
      if (value.length + (text?.length ?? 0) > 8_000) break;
      if (text) value += value ? `, ${text}` : text;
    }
    return value;
  }
}

/** Returns what measures the active call for its Server-Timing header; undefined if its caller did not ask for that. */
export function activeTiming(): Timing | undefined {
  return activeCollectors()?.find((collector) => collector instanceof Timing);
}

/**
 * Runs a whole call. If its request asks for Server-Timing, its spans are put into that header of the response, with the
 * call's own time first, also when the call fails.
 */
export async function timedCall<T>(
  call: { readonly requestHeader: Headers; readonly responseHeader: Headers },
  name: string,
  description: string | undefined,
  run: () => Promise<T>,
): Promise<T> {
  if (call.requestHeader.get(timingRequestHeader) !== "1") return run();
  const timing = new Timing();
  try {
    return await collectSpans([timing], () => timed(name, description, run));
  } finally {
    call.responseHeader.set(timingHeader, timing.toString());
  }
}

/** One entry, with the milliseconds to a hundredth: `orders.db;desc="select orders";dur=1.2`. */
function serverTiming(name: string, description: string | undefined, milliseconds: number): string {
  const token = name.replaceAll(/[^\w!#$%&'*+.^`|~-]/g, "_");
  const desc = description?.replaceAll(/[^\x20-\x7e]/g, "?").replaceAll(/["\\]/g, "\\$&");
  return `${token}${desc ? `;desc="${desc}"` : ""};dur=${Math.round(milliseconds * 100) / 100}`;
}
