/** What a request asks for, whichever form of target said it. */
export interface RequestTarget {
  /** Path and query; `*` for OPTIONS of the server as a whole. */
  readonly path: string;
  /** The host and port of an absolute-form target, which go before the Host header. */
  readonly host?: string;
}

const absolute = /^https?:\/\/([^/?]*)(.*)$/i;

/** Reads the target of a request of HTTP/1.1 (RFC 9112, section 3.2). Returns what is wrong with it as a text. */
export function readTarget(method: string, target: string): RequestTarget | string {
  if (target.includes("#")) return "the request target must not have a fragment (#)";
  if (target.startsWith("/")) return { path: target };
  if (target === "*") return method === "OPTIONS" ? { path: "*" } : `only OPTIONS can ask for *, not ${method}`;
  const [, host, rest = ""] = absolute.exec(target) ?? [];
  if (host === undefined) return "the request target must be a path, or an http:// or https:// URL";
  if (host === "") return "the request target names no host";
  if (host.includes("@")) return "the request target must not name a user (@)";
  if (rest === "") return { path: method === "OPTIONS" ? "*" : "/", host };
  return { path: rest.startsWith("?") ? `/${rest}` : rest, host };
}
