const units: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000 };

/** Parses a duration such as 500ms or 2s. Returns milliseconds. */
export function parseTimeout(text: string): number {
  const [, number, unit] = /^(\d+(?:\.\d+)?)(ms|s|m)$/.exec(text) ?? [];
  const timeoutMs = Math.ceil(Number(number) * (units[unit ?? ""] ?? 0));
  // setTimeout's limit.
  if (!(timeoutMs > 0) || timeoutMs > 0x7fffffff)
    throw new Error(`--timeout ${text} is not a length of time: write it like 500ms or 2s`);
  return timeoutMs;
}

/** Parses headers in curl's format: `name: value`. */
export function parseHeaders(lines: readonly string[]): Headers {
  const headers = new Headers();
  for (const line of lines) {
    const colon = line.indexOf(":");
    try {
      headers.append(line.slice(0, Math.max(colon, 0)).trim(), line.slice(colon + 1).trim());
    } catch {
      throw new Error(`-H "${line}" is not a header: write it like -H "x-request-id: 1"`);
    }
  }
  return headers;
}
