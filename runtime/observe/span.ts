import { AsyncLocalStorage } from "node:async_hooks";

/** A named part of a call, from its start to its end. */
export interface Span {
  /**
   * Ends it. Of several ends the last one counts: a read of many rows learns late which of them are stale.
   *
   * @param description what was done, if that was not known at the start
   */
  end(description?: string): void;
  fail(error: unknown): void;
}

/** Collects the spans of one call, for its Server-Timing header or a trace. */
export interface SpanCollector {
  /**
   * Starts a span.
   *
   * @param name letters, digits, dots and dashes: `orders.db`
   * @param description what is done: `select orders`
   */
  start(name: string, description?: string): Span;
}

// Entered only by calls whose spans are collected: Node.js pays for asynchronous context from the first of them on.
const active = new AsyncLocalStorage<readonly SpanCollector[]>();

/** Runs a call and collects its spans. Those of a call around it, in the same process, get none of them. */
export function collectSpans<T>(collectors: readonly SpanCollector[], run: () => T): T {
  return active.run(collectors, run);
}

/** Returns what collects the spans of the active call; undefined if nothing does, as in most calls. */
export function activeCollectors(): readonly SpanCollector[] | undefined {
  return active.getStore();
}

/** Starts a span of the active call. Returns undefined if nothing collects it. */
export function startSpan(name: string, description?: string): Span | undefined {
  const spans = active.getStore()?.map((collector) => collector.start(name, description));
  return spans && (spans.length === 1 ? spans[0] : together(spans));
}

function together(spans: readonly Span[]): Span {
  return {
    end(description) {
      for (const span of spans) span.end(description);
    },
    fail(error) {
      for (const span of spans) span.fail(error);
    },
  };
}

/**
 * Runs a part of the active call as a span, if something collects it.
 *
 *     await timed("orders.cache", (row) => (row ? "hit" : "miss"), () => cache.get(key));
 *
 * @param description says what is done, or derives it from the result
 */
export async function timed<T>(
  name: string,
  description: string | ((result: T) => string) | undefined,
  run: () => Promise<T>,
): Promise<T> {
  const span = startSpan(name, typeof description === "string" ? description : undefined);
  if (span === undefined) return run();
  try {
    const result = await run();
    span.end(typeof description === "function" ? description(result) : undefined);
    return result;
  } catch (error) {
    span.fail(error);
    throw error;
  }
}
