import type { ConnectionOptions } from "node:tls";
import type { RpcTransport } from "../config/transport.js";
import { Channel } from "../grpc/channel.js";
import { createNativeTransport } from "../grpc/client-transport.js";
import type { CompressionChoice } from "../grpc/method-compression.js";
import { type Carrier, saysItself } from "./attempt.js";
import { nodeFailure } from "./node-failures.js";
import { NodeSessions } from "./node-sessions.js";
import { nodeGrpcTransport } from "./node-transport.js";

/** How services are connected to. */
export interface ConnectionsOptions {
  /** Whose gRPC and HTTP/2 it is. Default: native. */
  readonly transport?: RpcTransport;
  /** Whether long messages are compressed where neither a client nor the contract says so. Default: no. */
  readonly compress?: boolean;
  /** For https: certificates and the like, as node:tls takes them. Default: the authorities of Node.js, and no certificate. */
  readonly tls?: ConnectionOptions;
  /** After how long a silence a connection of node:http2 with calls is asked whether it is still there, in milliseconds. */
  readonly pingIntervalMs?: number;
}

/** How long the answer to a PING may take on a connection of node:http2, in milliseconds. */
const PING_TIMEOUT = 5_000;

/**
 * The connections of a service, a gateway or another program to the services that it calls: one to each origin, which all clients share.
 * It is opened by the first call, and again after it broke, and closed after 15 minutes without one; it does not keep the process
 * alive. A peer that does not answer a PING is given up, so that calls do not hang on a machine that is gone without having said so.
 */
export class Connections {
  readonly #options: ConnectionsOptions;
  readonly #channels = new Map<string, Channel>();
  readonly #sessions = new Map<string, NodeSessions>();
  readonly #carriers = new Map<string, Carrier>();

  constructor(options: ConnectionsOptions = {}) {
    this.#options = options;
  }

  /** Returns what carries calls to an address. `compress` goes before the contract, and that before what these connections do. */
  carrierTo(baseUrl: string, compress?: boolean): Carrier {
    const key = `${compress} ${baseUrl}`;
    let carrier = this.#carriers.get(key);
    if (carrier === undefined) {
      const { transport = "native", compress: compressByDefault } = this.#options;
      const compression = { compress, compressByDefault };
      carrier = transport === "native" ? this.#native(baseUrl, compression) : this.#node(baseUrl, compression);
      this.#carriers.set(key, carrier);
    }
    return carrier;
  }

  /** Returns the connections of node:http2 to an address: for calls that are passed on, and for connect-node. */
  sessionsTo(baseUrl: string): NodeSessions {
    const { origin } = new URL(baseUrl);
    let sessions = this.#sessions.get(origin);
    if (sessions === undefined) {
      const { tls, pingIntervalMs = 30_000 } = this.#options;
      sessions = new NodeSessions(origin, { pingIntervalMs, pingTimeoutMs: PING_TIMEOUT, tls });
      this.#sessions.set(origin, sessions);
    }
    return sessions;
  }

  /** Calls `done` once every call of a client that has been given up by now has been reset, or has ended. */
  afterResets(baseUrl: string, done: () => void): void {
    const { transport = "native" } = this.#options;
    const { origin } = new URL(baseUrl);
    const connections = (transport === "native" ? this.#channels : this.#sessions).get(origin);
    if (connections === undefined) done();
    else connections.afterResets(done);
  }

  /** Ends every connection, and with it every call that is still open. */
  close(): void {
    for (const channel of this.#channels.values()) channel.close();
    for (const sessions of this.#sessions.values()) sessions.abort();
  }

  #native(baseUrl: string, compression: CompressionChoice): Carrier {
    const { origin } = new URL(baseUrl);
    let dispatcher = this.#channels.get(origin);
    if (dispatcher === undefined) {
      dispatcher = new Channel(origin, { tls: this.#options.tls });
      this.#channels.set(origin, dispatcher);
    }
    return { transport: createNativeTransport(baseUrl, { ...compression, dispatcher }), failure: saysItself };
  }

  #node(baseUrl: string, compression: CompressionChoice): Carrier {
    return { transport: nodeGrpcTransport(baseUrl, this.sessionsTo(baseUrl), compression), failure: nodeFailure };
  }
}

let shared: Connections | undefined;

/** Returns the connections of clients that are given none, for the life of the process. */
export function sharedConnections(): Connections {
  shared ??= new Connections();
  return shared;
}
