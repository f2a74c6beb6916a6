/** A call's place in a distributed trace (https://www.w3.org/TR/trace-context/). */
export interface TraceContext {
  /** 32 lower-case hexadecimal digits. */
  readonly traceId: string;
  /** The caller's span: 16 lower-case hexadecimal digits. */
  readonly parentId: string;
  /** Whether the caller may have recorded its part of the trace. */
  readonly sampled: boolean;
}

/** Reads a `traceparent` header. Returns undefined if there is none or it is invalid, after which a trace starts anew. */
export function parseTraceparent(header: string | null | undefined): TraceContext | undefined {
  const match = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/.exec(header?.trim() ?? "");
  if (match === null) return undefined;
  const [, version = "", traceId = "", parentId = "", flags = "", more] = match;
  // Version ff is invalid; versions after 00 may have more fields.
  if (version === "ff" || (version === "00" && more !== undefined)) return undefined;
  if (/^0+$/.test(traceId) || /^0+$/.test(parentId)) return undefined;
  return { traceId, parentId, sampled: (Number.parseInt(flags, 16) & 1) === 1 };
}
