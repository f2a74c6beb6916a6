import type { OutgoingHttpHeaders } from "node:http";
import type { ClientHttp2Stream } from "node:http2";
import { failureOf, withFailure } from "../call/failure.js";
import type { Connections } from "../client/connections.js";
import type { NodeSessions } from "../client/node-sessions.js";
import { errorFor } from "../errors/error.js";
import { ForwardedMessages } from "./passthrough/forwarded-messages.js";

/** A service behind the gateway. */
export class Upstream {
  /** The incomplete messages of forwarded calls. */
  readonly forwardedMessages = new ForwardedMessages();

  readonly #sessions: NodeSessions;

  constructor(
    /** The service's full name, for error texts. */
    readonly name: string,
    readonly baseUrl: string,
    /** The connections for forwarded calls, and for the calls of REST requests. */
    readonly connections: Connections,
  ) {
    this.#sessions = connections.sessionsTo(baseUrl);
  }

  /**
   * Opens a stream for a forwarded call, which its `close` cancels. `endStream`: the request has no body.
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
      return await this.#sessions.request(method, path, headers, { endStream });
    } catch (cause) {
      const error = errorFor("SERVICE_UNREACHABLE", `${this.name} cannot be reached`, { cause });
      throw withFailure(failureOf(cause) ?? "unreachable", error);
    }
  }

  /** Calls `done` once the stream of every REST call that was cancelled before has been reset, or has ended. */
  afterResets(done: () => void): void {
    this.connections.afterResets(this.baseUrl, done);
  }
}
