import { constants, type ServerHttp2Session, type ServerHttp2Stream } from "node:http2";
import { Backlog } from "../http2/backlog.js";
import { defaultLimits } from "../http2/limits.js";
import { startTimer, stopTimer, Timer } from "../http2/timers.js";

/** How often a session with open streams is looked at, in milliseconds. */
const LOOK = 250;
/** How old a look may be when a request comes, in milliseconds. */
const FRESH = 5;

/**
 * The backlog of a session of node:http2, which does not say when an answer begins to wait: what its streams hold is
 * summed up now and then.
 */
export class SessionBacklog {
  readonly #backlog = new Backlog(
    defaultLimits,
    () => this.#end(constants.NGHTTP2_CANCEL, () => false),
    () => this.#look(),
  );
  readonly #streams = new Set<ServerHttp2Stream>();
  readonly #watch = new Timer(() => {
    this.#look();
    if (this.#streams.size > 0) startTimer(this.#watch, LOOK);
  });
  #lookedAt = 0;

  constructor(session: ServerHttp2Session) {
    session.once("close", () => {
      stopTimer(this.#watch);
      this.#streams.clear();
      this.#look();
    });
  }

  /** Handles a request, once there is room for its answer. */
  take(stream: ServerHttp2Stream, start: () => void): void {
    this.#streams.add(stream);
    stream.once("close", () => this.#streams.delete(stream));
    if (this.#watch.slot < 0) startTimer(this.#watch, LOOK);
    if (performance.now() - this.#lookedAt > FRESH) this.#look();
    const begin = () => {
      this.#backlog.starts();
      start();
    };
    if (!this.#backlog.isFull()) {
      begin();
      return;
    }
    const forget = this.#backlog.hold(0, begin, () => stream.close(constants.NGHTTP2_REFUSED_STREAM));
    stream.once("close", forget);
  }

  #look(): void {
    this.#lookedAt = performance.now();
    let bytes = 0;
    for (const { writableLength } of this.#streams) bytes += writableLength;
    const change = bytes - this.#backlog.bytes;
    if (change > 0) this.#backlog.add(change);
    else if (change < 0) this.#backlog.remove(-change);
    if (this.#backlog.isOverfull) this.#end(constants.NGHTTP2_ENHANCE_YOUR_CALM, () => !this.#backlog.isOverfull);
  }

  /** Ends streams that hold something, the newest first, until it is enough. */
  #end(code: number, isEnough: () => boolean): void {
    for (const stream of [...this.#streams].reverse()) {
      if (isEnough()) return;
      const { writableLength } = stream;
      if (writableLength === 0) continue;
      this.#streams.delete(stream);
      this.#backlog.remove(writableLength);
      stream.on("error", () => undefined);
      stream.close(code);
    }
  }
}
