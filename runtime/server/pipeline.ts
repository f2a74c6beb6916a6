import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { Backlog } from "../http2/backlog.js";
import { defaultLimits } from "../http2/limits.js";

/** How many requests may wait for their turn on one connection: as many arrive in one piece before it can be paused. */
const MAX_WAITING = 256;
/** How long a peer may leave an answer unread, in milliseconds; and while the process keeps too many such answers. */
const STALL = 60_000;
const STALL_UNDER_PRESSURE = 5_000;

/**
 * Handles the requests of one connection of HTTP/1.1 one after the other. Node.js hands over all that have arrived at
 * once, and keeps their answers until those before them are sent: without this, a peer that pipelines requests and reads
 * nothing has any number of answers made (RFC 9112, section 9.3.2, allows to handle them in turn). While requests wait, nothing is
 * read from the connection.
 */
export function oneAtATime(handle: RequestListener): RequestListener {
  const queues = new WeakMap<Socket, RequestQueue>();
  return (request, response) => {
    const { socket } = request;
    let queue = queues.get(socket);
    if (queue === undefined) {
      queue = new RequestQueue(socket, handle);
      queues.set(socket, queue);
    }
    queue.take(request, response);
  };
}

/**
 * That a caller broke off is known from the response. Node.js 24 says it of the request a moment later, when connect-node has
 * stopped listening; with nobody listening it would end the process.
 */
function ignored(): void {}

type Exchange = readonly [request: IncomingMessage, response: ServerResponse];

/** The requests of one connection. */
class RequestQueue {
  readonly #backlog = new Backlog(defaultLimits, () => this.#socket.setTimeout(STALL_UNDER_PRESSURE));
  readonly #socket: Socket;
  readonly #handle: RequestListener;
  readonly #waiting: Exchange[] = [];
  #isBusy = false;

  constructor(socket: Socket, handle: RequestListener) {
    this.#socket = socket;
    this.#handle = handle;
    // Whatever else has the connection read on: not yet.
    socket.on("resume", () => {
      if (this.#waiting.length > 0) socket.pause();
    });
    socket.once("close", () => {
      for (const [, response] of this.#waiting.splice(0)) response.emit("close");
    });
  }

  take(request: IncomingMessage, response: ServerResponse): void {
    request.on("error", ignored);
    if (!this.#isBusy) {
      this.#begin(request, response);
      return;
    }
    this.#waiting.push([request, response]);
    if (this.#waiting.length > MAX_WAITING) this.#socket.destroy();
    else this.#socket.pause();
  }

  #begin(request: IncomingMessage, response: ServerResponse): void {
    this.#isBusy = true;
    let kept = 0;
    response.once("prefinish", () => {
      kept = this.#socket.writableLength;
      if (kept === 0) return;
      this.#backlog.add(kept);
      this.#socket.setTimeout(STALL);
    });
    response.once("close", () => {
      if (kept > 0) this.#backlog.remove(kept);
      this.#next();
    });
    this.#handle(request, response);
  }

  #next(): void {
    this.#isBusy = false;
    const next = this.#waiting.shift();
    if (next === undefined) return;
    if (this.#waiting.length === 0) this.#socket.resume();
    this.#begin(...next);
  }
}
