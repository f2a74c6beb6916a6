import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";

/** Reads one environment variable. */
export interface EnvironmentReader<T> {
  /** What a value must be, as in "PORT must be …". */
  readonly expected: string;
  /** A value that is right. */
  readonly example: string;
  /** The value when the variable is not set. Absent: the variable is required. */
  readonly fallback?: { readonly value: T };
  /** Whether values may hold a password, and so never appear in a message. */
  readonly secret?: boolean;
  /** Why the variable is required, as in "DATABASE_URL is not set, but …". Absent: it always is. */
  readonly reason?: string | undefined;
  /** Returns the value that `text` says, or undefined if it says none. `env`: the other variables. */
  parse(text: string, env: EnvironmentText): T | undefined;
}

/** Environment variables as a process has them. */
export type EnvironmentText = Readonly<Record<string, string | undefined>>;

type EnvironmentSpec = Readonly<Record<string, EnvironmentReader<unknown>>>;

/** What `readEnvironment` answers: one value for each variable. */
export type Environment<S extends EnvironmentSpec> = {
  readonly [K in keyof S]: S[K] extends EnvironmentReader<infer T> ? T : never;
};

/** Names everything that is wrong with the environment, each fault with a value that would be right. */
export class EnvironmentError extends Error {
  override readonly name = "EnvironmentError";

  constructor(readonly faults: readonly string[]) {
    super(["invalid environment:", ...faults.map((fault) => `  ${fault}`)].join("\n"));
  }
}

/**
 * Reads a process's configuration from its environment. A variable that is empty counts as not set, since shells and
 * compose files cannot always leave one out. Throws an EnvironmentError that names every fault, not the first.
 *
 *     const { PORT, ORDERS_URL } = readEnvironment({ PORT: port(8080), ORDERS_URL: httpUrl() }, env);
 */
export function readEnvironment<S extends EnvironmentSpec>(spec: S, env: EnvironmentText): Environment<S> {
  const faults: string[] = [];
  const values = Object.entries(spec).map(([name, reader]) => {
    const text = env[name]?.trim();
    if (!text) {
      if (!reader.fallback) {
        const reason = reader.reason === undefined ? "" : `, but ${reader.reason}`;
        faults.push(`${name} is not set${reason}: it must be ${reader.expected}, such as ${reader.example}`);
      }
      return [name, reader.fallback?.value];
    }
    const value = reader.parse(text, env);
    if (value === undefined) {
      const found = reader.secret ? "is something else" : `is ${JSON.stringify(text)}`;
      faults.push(`${name} ${found}: it must be ${reader.expected}, such as ${reader.example}`);
    }
    return [name, value];
  });
  if (faults.length > 0) throw new EnvironmentError(faults);
  return Object.fromEntries(values);
}

/** A TCP port. 0 lets the system choose a free one. */
export function port(fallback?: number): EnvironmentReader<number> {
  return {
    expected: "a port number from 0 to 65535",
    example: "8081",
    ...orElse(fallback),
    parse: (text) => wholeNumber(text, 65_535),
  };
}

/** A whole number of milliseconds, at most what a timer of Node.js can wait (2^31 - 1, some 24 days). */
export function milliseconds(fallback?: number): EnvironmentReader<number> {
  return {
    expected: "a whole number of milliseconds",
    example: "10000",
    ...orElse(fallback),
    parse: (text) => wholeNumber(text, 2_147_483_647),
  };
}

/** A whole number of hours, some 68 years at most. */
export function hours(fallback?: number): EnvironmentReader<number> {
  return {
    expected: "a whole number of hours, 600000 at most",
    example: "720",
    ...orElse(fallback),
    parse: (text) => wholeNumber(text, 600_000),
  };
}

/** The address of a PostgreSQL database. */
export function postgresUrl(fallback?: string): EnvironmentReader<string> {
  return {
    expected: "the URL of a PostgreSQL database",
    example: "postgresql://user:password@127.0.0.1:5432/orders",
    secret: true,
    ...orElse(fallback),
    parse: (text) => urlOf(text, ["postgres:", "postgresql:"]),
  };
}

/** The addresses of PostgreSQL databases, between commas. */
export function postgresUrls(fallback?: readonly string[]): EnvironmentReader<readonly string[]> {
  const { example, parse } = postgresUrl();
  return {
    expected: "URLs of PostgreSQL databases, between commas",
    example: `${example},${example.replace("127.0.0.1", "127.0.0.2")}`,
    secret: true,
    ...orElse(fallback),
    parse(text, env) {
      const urls = text.split(",").map((part) => parse(part.trim(), env));
      return urls.every((url) => url !== undefined) ? urls : undefined;
    },
  };
}

/** A whole number of bytes. */
export function bytes(fallback?: number): EnvironmentReader<number> {
  return {
    expected: "a whole number of bytes",
    example: "67108864",
    ...orElse(fallback),
    parse: (text) => wholeNumber(text, 9_999_999_999),
  };
}

/** The address of a Redis server. */
export function redisUrl(fallback?: string): EnvironmentReader<string> {
  return {
    expected: "the URL of a Redis server",
    example: "redis://127.0.0.1:6379/0",
    secret: true,
    ...orElse(fallback),
    parse: (text) => urlOf(text, ["redis:", "rediss:"]),
  };
}

/** The address of an HTTP server, without a slash at its end. */
export function httpUrl(fallback?: string): EnvironmentReader<string> {
  return {
    expected: "an http:// or https:// URL",
    example: "http://127.0.0.1:8081",
    ...orElse(fallback),
    parse: (text) => urlOf(text, ["http:", "https:"])?.replace(/\/+$/, ""),
  };
}

/** One of a few words. */
export function oneOf<const W extends string>(
  words: readonly [W, ...W[]],
  fallback?: NoInfer<W>,
): EnvironmentReader<W> {
  return {
    expected: `one of ${words.join(", ")}`,
    example: fallback ?? words[0],
    ...orElse(fallback),
    parse: (text) => words.find((word) => word === text),
  };
}

/** On or off; also spelled true or false, yes or no, 1 or 0. */
export function flag(fallback?: boolean): EnvironmentReader<boolean> {
  return {
    expected: "on or off",
    example: "on",
    ...orElse(fallback),
    parse: (text) => {
      if (/^(on|true|yes|1)$/i.test(text)) return true;
      if (/^(off|false|no|0)$/i.test(text)) return false;
      return undefined;
    },
  };
}

/** A file of certificates in PEM (RFC 7468); the value is what is in it. */
export function certificates(): EnvironmentReader<string> {
  return {
    expected: "a file of certificates (PEM)",
    example: "/etc/tls/tls.crt",
    parse: (path) => pem(path, (content) => void new X509Certificate(content)),
  };
}

/** A file with the private key of the first certificate in the file that the variable `certificate` names; the value is its content. */
export function privateKey(certificate: string): EnvironmentReader<string> {
  return {
    expected: `a file with the private key of ${certificate} (PEM)`,
    example: "/etc/tls/tls.key",
    parse: (path, env) =>
      pem(path, (content) => {
        const key = createPrivateKey(content);
        const shown = env[certificate]?.trim();
        const pair = shown && pem(shown, () => undefined);
        if (pair && !new X509Certificate(pair).checkPrivateKey(key)) throw new Error("the key of something else");
      }),
  };
}

/** Any text. */
export function text(fallback?: string): EnvironmentReader<string> {
  return { expected: "some text", example: "127.0.0.1", ...orElse(fallback), parse: (text) => text };
}

/** A folder. */
export function folder(fallback?: string): EnvironmentReader<string> {
  return { expected: "a folder", example: "/var/lib/orders/journal", ...orElse(fallback), parse: (text) => text };
}

/** A variable that need not be set; undefined then. */
export function optional<T>(reader: EnvironmentReader<T>): EnvironmentReader<T | undefined> {
  return { ...reader, fallback: { value: undefined } };
}

/** The fallback of a reader, if it has one. */
export function orElse<T>(value: T | undefined): { fallback?: { value: T } } {
  return value === undefined ? {} : { fallback: { value } };
}

function wholeNumber(text: string, max: number): number | undefined {
  return /^\d{1,10}$/.test(text) && Number(text) <= max ? Number(text) : undefined;
}

/** Returns `text` if it is a URL of one of these protocols that names a host. */
export function urlOf(text: string, protocols: readonly string[]): string | undefined {
  return URL.canParse(text) && protocols.includes(new URL(text).protocol) && new URL(text).host !== ""
    ? text
    : undefined;
}

/** The content of a file, if it can be read and `check` does not throw. */
function pem(path: string, check: (content: string) => void): string | undefined {
  try {
    const content = readFileSync(path, "utf8");
    check(content);
    return content;
  } catch {
    return undefined;
  }
}
