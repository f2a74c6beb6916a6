import type { OutgoingHttpHeaders } from "node:http";
import type { ClientHttp2Stream } from "node:http2";
import { failureOf, withFailure } from "../call/failure.js";
import type { Connections } from "../client/connections.js";
import type { NodeSessions } from "../client/node-sessions.js";
import { errorFor } from "../errors/error.js";
import { IncompleteMessages } from "./passthrough/incomplete.js";

/** A service behind the gateway. */
export class Upstream {
  /** The incomplete messages of calls that are passed through. */
  readonly incomplete = new IncompleteMessages();

  readonly #sessions: NodeSessions;

  constructor(
    /** The service's full name, for messages. */
    readonly name: string,
    readonly baseUrl: string,
    /** The connections for passed-through calls, and for the gateway's own calls on behalf of REST requests. */
    readonly connections: Connections,
  ) {
    this.#sessions = connections.sessionsTo(baseUrl);
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
      return await this.#sessions.request(method, path, headers, { endStream });
    } catch (cause) {
      const error = errorFor("SERVICE_UNREACHABLE", `${this.name} cannot be reached`, { cause });
      throw withFailure(failureOf(cause) ?? "unreachable", error);
    }
  }

  /** Calls `done` once every call for REST that has been given up by now has been reset, or has ended. */
  afterResets(done: () => void): void {
    this.connections.afterResets(this.baseUrl, done);
  }
}
