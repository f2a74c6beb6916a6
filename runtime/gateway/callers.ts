import type { IncomingMessage } from "node:http";
import type { Http2ServerRequest, Http2Session } from "node:http2";
import { BlockList, isIP, isIPv6 } from "node:net";
import type { ConnectError } from "@connectrpc/connect";
import { errorFor } from "../errors/error.js";

/** How many calls that one caller has broken off may still run in services. */
const MAX_BROKEN_OFF = 100;

/** Calls that were broken off and still run in services, by who broke them off. Of those who have none there is no entry. */
const brokenOff = new Map<Http2Session | string, number>();

/**
 * Who makes a call: an open connection of HTTP/2, or an address, for with HTTP/1.1 the connection ends with a call that is
 * broken off. The gateway resets such calls no faster than their service allows (see ResetPace), so it bounds how many of
 * them one caller may have.
 */
export class Caller {
  readonly #session: Http2Session | undefined;
  /** Read at once: a connection that has ended has none. */
  readonly #peer: string;
  readonly #forwardedFor: string | undefined;

  constructor(request: IncomingMessage | Http2ServerRequest) {
    this.#session = "stream" in request ? request.stream.session : undefined;
    this.#peer = request.socket?.remoteAddress ?? "";
    this.#forwardedFor = request.headers["x-forwarded-for"] as string | undefined;
  }

  /** Returns why a new call is refused, or undefined. */
  refusal(): ConnectError | undefined {
    if (brokenOff.size === 0) return undefined;
    if (!isFull(this.#session) && !isFull(this.#address())) return undefined;
    const text = `this caller has broken off ${MAX_BROKEN_OFF} calls that still run: wait until they have ended`;
    return errorFor("CANCELLED_CALLS_OVER_LIMIT", text);
  }

  /** Counts a cancelled call. Returns a function to call once it has ended in its service. */
  brokeOff(): () => void {
    const session = this.#session;
    const key = session === undefined || session.closed || session.destroyed ? this.#address() : session;
    count(key, 1);
    return () => count(key, -1);
  }

  /** The peer's address, or whom a proxy of a private network says that it speaks for. */
  #address(): string {
    const peer = withoutMapping(this.#peer);
    // Anyone else may write there what he likes; and only the last address is that proxy's word.
    const forwarded = isIP(peer) !== 0 && privateNetworks.check(peer, isIPv6(peer) ? "ipv6" : "ipv4");
    const last = withoutMapping(forwarded ? (this.#forwardedFor?.split(",").at(-1)?.trim() ?? "") : "");
    return networkOf(isIP(last) === 0 ? peer : last);
  }
}

function isFull(caller: Http2Session | string | undefined): boolean {
  return caller !== undefined && (brokenOff.get(caller) ?? 0) >= MAX_BROKEN_OFF;
}

function count(caller: Http2Session | string, more: number): void {
  const calls = (brokenOff.get(caller) ?? 0) + more;
  if (calls === 0) brokenOff.delete(caller);
  else brokenOff.set(caller, calls);
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

/** IPv4 in the form that it has on a socket of both versions: ::ffff:192.0.2.1. */
function withoutMapping(address: string): string {
  return address.startsWith("::ffff:") && address.includes(".") ? address.slice(7) : address;
}

/** Returns the first 64 bits of an IPv6 address: a caller with one of these addresses has all of them. */
function networkOf(address: string): string {
  if (!isIPv6(address)) return address;
  const [head = "", tail] = address.split("::");
  const first = head === "" ? [] : head.split(":");
  const last = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - first.length - last.length);
  return [...first, ...Array<string>(zeros).fill("0"), ...last].slice(0, 4).join(":");
}
