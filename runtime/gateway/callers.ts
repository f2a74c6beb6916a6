import type { IncomingMessage } from "node:http";
import type { Http2ServerRequest, Http2Session } from "node:http2";
import { BlockList, isIP, isIPv6 } from "node:net";
import type { ConnectError } from "@connectrpc/connect";
import { errorFor } from "../errors/error.js";

/** The maximum number of one caller's cancelled calls that still run in services. */
const MAX_CANCELLED = 100;

/** The number of cancelled calls that still run in services, by caller. Callers without such calls have no entry. */
const cancelled = new Map<Http2Session | string, number>();

/**
 * The caller of a request: an open HTTP/2 connection, or else an address, because an HTTP/1.1 connection ends with its cancelled
 * call. The gateway resets the streams of cancelled calls no faster than their service allows (see ResetPace), so it bounds the
 * number of such calls for each caller.
 */
export class Caller {
  readonly #session: Http2Session | undefined;
  /** The peer's address, read at the start because a closed connection has none. */
  readonly #peer: string;
  readonly #forwardedFor: string | undefined;

  constructor(request: IncomingMessage | Http2ServerRequest) {
    this.#session = "stream" in request ? request.stream.session : undefined;
    this.#peer = request.socket?.remoteAddress ?? "";
    this.#forwardedFor = request.headers["x-forwarded-for"] as string | undefined;
  }

  /** Returns the error for a caller with too many cancelled calls, or undefined. */
  refusal(): ConnectError | undefined {
    if (cancelled.size === 0) return undefined;
    if (!isFull(this.#session) && !isFull(this.#address())) return undefined;
    const text = `this caller has broken off ${MAX_CANCELLED} calls that still run: wait until they have ended`;
    return errorFor("CANCELLED_CALLS_OVER_LIMIT", text);
  }

  /** Counts a cancelled call. Returns a function to call once the call has ended in its service. */
  countCancelled(): () => void {
    const session = this.#session;
    const key = session === undefined || session.closed || session.destroyed ? this.#address() : session;
    count(key, 1);
    return () => count(key, -1);
  }

  /** Returns the peer's address, or the address that a proxy in a private network forwards for. */
  #address(): string {
    const peer = withoutMapping(this.#peer);
    // Callers can forge X-Forwarded-For: only the last address, which such a proxy has added, is trusted.
    const forwarded = isIP(peer) !== 0 && privateNetworks.check(peer, isIPv6(peer) ? "ipv6" : "ipv4");
    const last = withoutMapping(forwarded ? (this.#forwardedFor?.split(",").at(-1)?.trim() ?? "") : "");
    return networkOf(isIP(last) === 0 ? peer : last);
  }
}

function isFull(caller: Http2Session | string | undefined): boolean {
  return caller !== undefined && (cancelled.get(caller) ?? 0) >= MAX_CANCELLED;
}

function count(caller: Http2Session | string, more: number): void {
  const calls = (cancelled.get(caller) ?? 0) + more;
  if (calls === 0) cancelled.delete(caller);
  else cancelled.set(caller, calls);
}

const privateNetworks = new BlockList();
for (const [network, bits] of [
  ["127.0.0.0", 8],
  ["10.0.0.0", 8],
  ["172.16.0.0", 12],
  ["192.168.0.0", 16],
] as const) {
  privateNetworks.addSubnet(network, bits, "ipv4");
}
for (const [network, bits] of [
  ["::1", 128],
  ["fc00::", 7],
  ["fe80::", 10],
] as const) {
  privateNetworks.addSubnet(network, bits, "ipv6");
}

/** Returns an IPv4 address without the prefix that it has on a dual-stack socket: ::ffff:192.0.2.1. */
function withoutMapping(address: string): string {
  return address.startsWith("::ffff:") && address.includes(".") ? address.slice(7) : address;
}

/** Returns the first 64 bits of an IPv6 address, because a caller usually has a network of that size. */
function networkOf(address: string): string {
  if (!isIPv6(address)) return address;
  const [head = "", tail] = address.split("::");
  const first = head === "" ? [] : head.split(":");
  const last = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - first.length - last.length);
  return [...first, ...Array<string>(zeros).fill("0"), ...last].slice(0, 4).join(":");
}
