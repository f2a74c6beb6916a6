import type { OutgoingHttpHeaders } from "node:http";
import type { ClientHttp2Stream } from "node:http2";
import type { ConnectionOptions } from "node:tls";
import { Code, ConnectError, type Transport } from "@connectrpc/connect";
import { NodeSessions } from "../client/node-sessions.js";
import { nodeGrpcTransport } from "../client/node-transport.js";
import { rpcTransport } from "../config/transport.js";
import { createNativeTransport, type NativeTransport } from "../grpc/client-transport.js";
import { IncompleteMessages } from "./passthrough/incomplete.js";

/**
 * A service behind the gateway: one HTTP/2 session for what is passed on, and one for calls that the gateway makes itself,
 * opened when first needed and again when lost.
 */
export class Upstream {
  /** For calls that the gateway makes itself, on behalf of REST. */
  readonly transport: Transport;
  /** What of messages that are passed on is on its way. */
  readonly incomplete = new IncompleteMessages();
  private readonly native: NativeTransport | undefined;
  private readonly sessions: NodeSessions;

  constructor(
    /** The service's full name, for messages. */
    readonly name: string,
    readonly baseUrl: string,
    /** For an https:// address: whom to believe, and what to show. */
    tls: ConnectionOptions = {},
  ) {
    // Without pings, a peer that vanished silently would swallow every call until TCP gives up.
    this.sessions = new NodeSessions(baseUrl, { pingIntervalMs: 10_000, pingTimeoutMs: 5_000, tls });
    this.native = rpcTransport() === "native" ? createNativeTransport(baseUrl, { tls }) : undefined;
    this.transport = this.native ?? nodeGrpcTransport(baseUrl, this.sessions);
  }

  /**
   * Opens a stream for a call that is passed on as it is; if `endStream`, its headers are all of it. Its `close` cancels it.
   *
   * @throws ConnectError UNAVAILABLE if the service cannot be reached
   */
  async open(
    method: string,
    path: string,
    headers: OutgoingHttpHeaders,
    endStream: boolean,
  ): Promise<ClientHttp2Stream> {
    try {
      return await this.sessions.request(method, path, headers, { endStream });
    } catch (cause) {
      throw new ConnectError(`${this.name} cannot be reached`, Code.Unavailable, undefined, undefined, cause);
    }
  }

  /** Calls `done` once every call for REST that has been given up by now has been reset, or has ended. */
  afterResets(done: () => void): void {
    (this.native ?? this.sessions).afterResets(done);
  }

  /** Closes the sessions, and with them every call that is still open. */
  close(): void {
    this.native?.close();
    this.sessions.abort();
  }
}
