import { AsyncLocalStorage } from "node:async_hooks";

/** Set to 1 on a request, it asks for the time that each part of the call took. Clients pass it on to the next hop. */
export const timingRequestHeader = "x-server-timing";

/** The answer's header that says it (https://www.w3.org/TR/server-timing/). */
export const timingHeader = "server-timing";

/** What one call has measured so far. */
export class Timing {
  readonly #entries: (() => string | undefined)[] = [];

  /** Starts a span; the function that is answered ends it. */
  start(name: string, description?: string): (description?: string) => void {
    const started = performance.now();
    let entry: string | undefined;
    this.#entries.push(() => entry);
    return (found) => {
      entry = serverTiming(name, found ?? description, performance.now() - started);
    };
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

// Entered only by calls that ask to be measured: Node.js pays for asynchronous context from the first of them on.
const active = new AsyncLocalStorage<Timing>();

/** The measurements of the call that runs now; undefined if it did not ask for any. */
export function activeTiming(): Timing | undefined {
  return active.getStore();
}

/**
 * Measures a part of the call that runs now, if it asked to be measured.
 *
 *     await timed("orders.cache", (row) => (row ? "hit" : "miss"), () => cache.get(key));
 *
 * `name` is a word of letters, digits, dots and dashes; `description` says what was done, or derives it from the result.
 */
export async function timed<T>(
  name: string,
  description: string | ((result: T) => string) | undefined,
  run: () => Promise<T>,
): Promise<T> {
  const timing = active.getStore();
  if (!timing) return run();
  const fixed = typeof description === "string" ? description : undefined;
  const end = timing.start(name, fixed);
  try {
    const result = await run();
    end(typeof description === "function" ? description(result) : fixed);
    return result;
  } catch (error) {
    end(fixed ?? "failed");
    throw error;
  }
}

/**
 * Runs a whole call. If its request asks for it, what `timed` measures inside is put into the answer's Server-Timing
 * header, with the call's own time first, also when the call fails.
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
    return await active.run(timing, () => timed(name, description, run));
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
