import { isIP } from "node:net";
import type { EnvironmentReader } from "./environment.js";

/** ALLOWED_HOSTS: the names by which callers may ask for a process, between commas; `*` for any. */
export const allowedHostsVariable: EnvironmentReader<readonly string[]> = {
  expected: "names of hosts, between commas, or *",
  example: "shop.example,www.shop.example",
  fallback: { value: [] },
  parse(text) {
    const names = text.split(",").map((name) => name.trim().toLowerCase());
    return names.every((name) => name === "*" || /^[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?$/.test(name)) ? names : undefined;
  },
};

/** How many spellings are remembered. */
const REMEMBERED = 64;

/**
 * The hosts that callers may ask for. A page of anyone's may call a name of its own that is made to lead to this machine (DNS
 * rebinding), and a browser takes that for the page's own server: what listens on the loopback interface alone, and so
 * trusts whoever reaches it, is asked for by a loopback name or address, or a name that is allowed. Where names are allowed,
 * they are the only ones on other interfaces, too; addresses are no names, and lead where they say.
 */
export class Hosts {
  readonly #names: ReadonlySet<string>;
  readonly #isLoopback: boolean;
  readonly #remembered = new Set<string>();

  private constructor(isLoopback: boolean, names: readonly string[]) {
    this.#isLoopback = isLoopback;
    this.#names = new Set(names);
  }

  /** Returns the rule for what listens on `address`; undefined if any host may be asked for. */
  static of(address: string, allowed: readonly string[]): Hosts | undefined {
    const isLoopback = isLoopbackHost(address.toLowerCase());
    if (allowed.includes("*") || (!isLoopback && allowed.length === 0)) return undefined;
    return new Hosts(isLoopback, allowed);
  }

  /** Whether a caller may ask for `host`, which may have a port. Callers of HTTP/1.0 need not name any. */
  allows(host: string | undefined): boolean {
    if (host === undefined || host === "" || this.#remembered.has(host)) return true;
    const name = host
      .toLowerCase()
      .replace(/:\d*$/, "")
      .replace(/^\[(.*)\]$/, "$1")
      .replace(/\.$/, "");
    const isAllowed = this.#names.has(name) || isLoopbackHost(name) || (!this.#isLoopback && isIP(name) !== 0);
    if (isAllowed && this.#remembered.size < REMEMBERED) this.#remembered.add(host);
    return isAllowed;
  }
}

/** What a caller is told whose host is none of them. */
export function wrongHost(host: string): string {
  return `${JSON.stringify(host.slice(0, 100))} is no host of this process: ask for localhost, or name it in ALLOWED_HOSTS`;
}

function isLoopbackHost(name: string): boolean {
  if (name === "localhost" || name.endsWith(".localhost") || name === "::1") return true;
  return /^(::ffff:)?127\./.test(name) && isIP(name) !== 0;
}
